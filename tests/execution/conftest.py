"""One executor per module, with a fresh upstream and a fresh connection to it per test."""

import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from upstream.fixtures import Upstream

from hub.execution import Executor
from sandbox.reach import Reach

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent / "sandbox"))  # its server

from execution_decoy import Names, Scene  # found only once these folders are on the path
from execution_house import House, running_house
from sandbox_server import Reply, serving


@pytest.fixture(scope="module", name="running_house")
async def _running_house(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[House]:
    del anyio_backend
    async with running_house(sqlite_template, tmp_path_factory.mktemp("execution")) as house:
        yield house


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
