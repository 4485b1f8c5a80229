"""`toolhub audit erase`: tells what would go, asks under somebody's name, and deletes nothing by itself."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.cli.audit import audit_app
from hub.erasures import erasures, holds_now
from hub.identity.accounts import NewUser, create_user
from hub.identity.authority import Authority
from hub.identity.principals import Role
from hub.opening import open_database, open_keyring
from hub.settings import Settings
from hub.storage.migrations import upgrade

Toolhub = Callable[..., Result]


@pytest.fixture
def toolhub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolhub:
    """The command, in a hub with an administrator and a member."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "home"))
    asyncio.run(_people())
    return lambda *arguments: CliRunner().invoke(audit_app, ["erase", *arguments])


async def _people() -> None:
    chosen = Settings()
    async with open_database(chosen) as database:
        await upgrade(database)
        authority = Authority(database=database, keys=await open_keyring(chosen, database))
        async with database.transaction() as tx:
            for name, role in (("adam", Role.ADMINISTRATOR), ("rita", Role.MEMBER)):
                new = NewUser(name=name, display_name=name, password=name * 5, roles=frozenset({role}))
                await create_user(tx, new, authority)


async def _asked() -> list[tuple[str, str]]:
    async with open_database(Settings()) as database, database.reading() as tx:
        assert await holds_now(tx) == []
        return [(one.id, one.stage.value) for one in await erasures(tx)]


def test_it_tells_what_would_go_and_asks_nothing(toolhub: Toolhub) -> None:
    told = toolhub("--person", "rita")

    assert told.exit_code == 0
    assert "0 invocations, 0 previews and 1 private values of 1 events would go." in " ".join(told.output.split())
    assert "Nothing was asked for." in told.output
    assert asyncio.run(_asked()) == []


def test_it_asks_under_a_name_and_waits_for_an_auditor(toolhub: Toolhub) -> None:
    told = toolhub("--person", "rita", "--asked-by", "adam", "--reason", "Request 4711", "--json")

    said = json.loads(told.output)
    assert said["values"] == 1
    assert asyncio.run(_asked()) == [(said["erasure"], "asked")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Name what to erase"),
        (["--person", "rita", "--invocation", "inv_1"], "Name what to erase"),
        (["--person", "nobody"], "no account 'nobody'"),
        (["--record", "erp:items/1"], "no connection 'erp'"),
        (["--invocation", "inv_none"], "no invocation inv_none"),
        (["--person", "rita", "--asked-by", "rita", "--reason", "x"], "ask for an erasure"),
        (["--person", "rita", "--asked-by", "adam"], "Say why"),
    ],
    ids=["nothing", "two", "person", "record", "invocation", "role", "reason"],
)
def test_what_it_cannot_do_it_says(toolhub: Toolhub, arguments: list[str], says: str) -> None:
    told = toolhub(*arguments)

    assert told.exit_code == 1
    assert says in " ".join(told.output.split())
