"""A house whose executor may start programs, and servers that behave as a test wants."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from hub.execution import reach
from sandbox.programs import Program

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent.parent / "execution"))  # its house

from execution_house import running_house  # found only once these folders are on the path
from federation_servers import Federated


@pytest.fixture(scope="module")
async def federated(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncGenerator[Federated]:
    del anyio_backend
    programs = dict[str, Program]()
    folder = tmp_path_factory.mktemp("federation")
    async with running_house(sqlite_template, folder, reaching=reach(None, (), (), programs)) as house:
        house.token = "none"
        yield Federated(house=house, programs=programs)
