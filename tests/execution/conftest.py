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
from sandbox.reach import Reach

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent / "sandbox"))  # its server

from execution_decoy import Names, Scene  # found only once these folders are on the path
from execution_house import ITEMS, House
from sandbox_server import Reply, serving


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


@pytest.fixture(scope="module")
async def scene_of_all(running_house: House) -> AsyncGenerator[Scene]:
    names = Names()
    async with (
        serving(lambda _: Reply(body={"fine": True})) as system,
        serving(lambda _: Reply(body="the decoy")) as decoy,
        Executor(running_house.database, running_house.vault, reach=Reach(resolve=names.resolve)).running() as executor,
    ):
        house = replace(running_house, executor=executor, token="none")
        yield Scene(house=house, system=system, decoy=decoy, names=names)


@pytest.fixture
async def scene(scene_of_all: Scene) -> AsyncGenerator[Scene]:
    scene = scene_of_all
    scene.system.asked.clear()
    scene.system.answer = lambda _: Reply(body={"fine": True})
    scene.names.meanings.clear()
    scene.names.asked.clear()
    await scene.house.connect(f"{scene.system.base_url}/api")
    yield scene
    assert scene.decoy.connections == 0, "somebody connected to the decoy"
