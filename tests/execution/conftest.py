"""One executor per module, with a fresh upstream and a fresh connection to it per test."""

import shutil
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from upstream.fixtures import Upstream

from hub.credentials import Vault
from hub.execution import Executor
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.registry import register_connector
from hub.storage import Database

sys.path.insert(0, str(Path(__file__).parent))

from execution_house import ITEMS, House  # found only once this folder is on the path


@pytest.fixture(scope="module")
async def running_house(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[House]:
    del anyio_backend
    file = tmp_path_factory.mktemp("execution") / "hub.sqlite"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite+aiosqlite:///{file}")
    keys = await Keyring.open(database, bytes(32))
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await register_connector(tx, ITEMS, authority)
    vault = Vault(keys)
    async with Executor(database, vault).running() as executor:
        yield House(executor=executor, database=database, vault=vault, authority=authority)
    await database.close()


@pytest.fixture
async def house(running_house: House, upstream: Upstream) -> House:
    house = replace(running_house, url=upstream.base_url, token=upstream.token)
    await house.connect()
    return house
