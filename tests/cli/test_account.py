"""`toolhub account`: the first account, links for everybody else, and what is lost stops nobody for ever."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import func, select
from typer.testing import CliRunner

from hub.cli.account import account_app
from hub.identity.accounts import NewUser, create_user
from hub.identity.authority import Authority
from hub.identity.tables import PasskeyRow, PasswordRow, PrincipalRow
from hub.opening import open_database, open_keyring
from hub.settings import Settings
from hub.storage import now
from hub.storage.migrations import upgrade

Toolhub = Callable[..., Result]


@pytest.fixture
def toolhub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolhub:
    """The command, in a hub with one person who has a passkey."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "home"))
    asyncio.run(_rita())
    return lambda *arguments: CliRunner().invoke(account_app, [*arguments])


async def _rita() -> None:
    chosen = Settings()
    async with open_database(chosen) as database:
        await upgrade(database)
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            rita = await create_user(tx, NewUser(name="rita", display_name="Rita", password="rita" * 5), authority)
            made = {"id": "pky_1", "principal_id": rita.id, "credential_id": "one", "public_key": "key", "uses": 0}
            tx.add(PasskeyRow(**made, name="laptop", enrolled_at=await now(tx)))


async def _count() -> int:
    async with open_database(Settings()) as database, database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(PasskeyRow)) or 0


def test_lost_passkeys_are_removed(toolhub: Toolhub) -> None:
    assert "Removed 1 passkeys of rita." in toolhub("forget-passkeys", "rita").output
    assert "rita has no passkeys." in toolhub("forget-passkeys", "rita").output
    assert asyncio.run(_count()) == 0


def test_an_unknown_name_removes_nothing(toolhub: Toolhub) -> None:
    assert toolhub("forget-passkeys", "nobody").exit_code != 0
    assert asyncio.run(_count()) == 1


async def _passwords() -> set[str]:
    async with open_database(Settings()) as database, database.reading() as tx:
        query = select(PrincipalRow.name).join(PasswordRow, PasswordRow.principal_id == PrincipalRow.id)
        return set(await tx.scalars(query))


def test_whoever_is_not_the_first_gets_a_link_and_no_password(
    toolhub: Toolhub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_PASSWORD", "chosen by somebody else")

    made = toolhub("create", "ann", "--group", "approvers").output

    assert "TOOLHUB_PASSWORD is not used" in made
    assert "/invitation/ivt_" in made
    assert asyncio.run(_passwords()) == {"rita"}


def test_who_has_lost_the_password_is_let_in_again_by_a_link(toolhub: Toolhub) -> None:
    assert "/invitation/ivt_" in toolhub("invite", "rita").output
    assert asyncio.run(_passwords()) == set()
    assert toolhub("invite", "nobody").exit_code != 0


def test_the_first_account_has_a_password_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "home"))
    asyncio.run(_migrate())
    assert CliRunner().invoke(account_app, ["create", "alma"]).exit_code != 0

    monkeypatch.setenv("TOOLHUB_PASSWORD", "a long password")
    made = CliRunner().invoke(account_app, ["create", "alma"]).output

    assert "Created alma (administrator, member)." in made
    assert asyncio.run(_passwords()) == {"alma"}


async def _migrate() -> None:
    async with open_database(Settings()) as database:
        await upgrade(database)
