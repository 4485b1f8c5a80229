"""The homes that commands work on: made once and copied for each test, since migrating takes longer than most."""

import asyncio
import shutil
from pathlib import Path

import pytest
from upstream.connector import connector

from hub.identity.authority import Authority
from hub.opening import open_database, open_keyring
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.settings import Settings
from hub.storage.migrations import upgrade


@pytest.fixture(scope="session")
def home_of_a_new_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose database has the schema, and nothing else."""
    home = tmp_path_factory.mktemp("new") / "home"

    async def prepare() -> None:
        async with open_database(Settings(home=home)) as database:
            await upgrade(database)

    asyncio.run(prepare())
    return home


@pytest.fixture(scope="session")
def home_with_the_upstream(home_of_a_new_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of a hub to which the test upstream is connected."""
    home = tmp_path_factory.mktemp("connected") / "home"
    shutil.copytree(home_of_a_new_hub, home)

    async def prepare() -> None:
        async with open_database(Settings(home=home)) as database:
            authority = Authority(database=database, keys=await open_keyring(Settings(home=home), database))
            new = NewConnection(
                name="upstream", connector="upstream", environment=Environment.DEV, base_url="http://127.0.0.1:9"
            )
            async with database.transaction() as tx:
                await register_connector(tx, connector.spec, authority)
                await create_connection(tx, new, authority)

    asyncio.run(prepare())
    return home


@pytest.fixture
def new_home(home_of_a_new_hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a new hub, named in the environment as an operator would."""
    return _named(home_of_a_new_hub, tmp_path, monkeypatch)


@pytest.fixture
def connected_home(home_with_the_upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a hub to which the test upstream is connected, named so."""
    return _named(home_with_the_upstream, tmp_path, monkeypatch)


def _named(template: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = folder / "home"
    shutil.copytree(template, home)
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    return home
