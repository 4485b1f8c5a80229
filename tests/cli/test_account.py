"""`toolhub account forget-passkeys`: what is lost stops nobody for ever."""

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
from hub.identity.tables import PasskeyRow
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
    return lambda *arguments: CliRunner().invoke(account_app, ["forget-passkeys", *arguments])


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
    assert "Removed 1 passkeys of rita." in toolhub("rita").output
    assert "rita has no passkeys." in toolhub("rita").output
    assert asyncio.run(_count()) == 0


def test_an_unknown_name_removes_nothing(toolhub: Toolhub) -> None:
    assert toolhub("nobody").exit_code != 0
    assert asyncio.run(_count()) == 1
