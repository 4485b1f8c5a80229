"""A house whose executor may start programs, and servers that behave as a test wants."""

import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from hub.credentials import Vault
from hub.execution import Executor, reach
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.registry import register_connector
from hub.storage import Database
from sandbox.programs import Program

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent / "execution"))  # its house

from execution_house import ITEMS, House  # found only once these folders are on the path
from federation_servers import Federated


@pytest.fixture(scope="module")
async def federated(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[Federated]:
    del anyio_backend
    file = tmp_path_factory.mktemp("federation") / "hub.sqlite"
    shutil.copyfile(sqlite_template, file)
    database = Database(f"sqlite+aiosqlite:///{file}")
    keys = await Keyring.open(database, bytes(32))
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await register_connector(tx, ITEMS, authority)
    vault, programs = Vault(keys), dict[str, Program]()
    async with Executor(database, vault, reach=reach(None, (), (), programs)).running() as executor:
        house = House(executor=executor, database=database, vault=vault, authority=authority, token="none")
        yield Federated(house=house, programs=programs)
    await database.close()
