"""Templates of databases in which every world's people, agent, policy and connector are on record already.

A folder whose tests open worlds imports both into its `conftest.py`, where they take the place of the empty templates.
Making them takes a second of a processor, for passwords above all; copying them takes next to nothing.
"""

import asyncio
import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from world import MASTER_KEY, settle

from hub.keys import Keyring
from hub.storage import Database

Server = Any
"""What the fixture `postgresql` yields."""

_numbers = itertools.count(1)


async def _settle(url: str) -> None:
    database = Database(url)
    await settle(database, await Keyring.open(database, MASTER_KEY))
    await database.close()


@pytest.fixture(scope="session")
def sqlite_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("settled") / "hub.sqlite"
    shutil.copyfile(sqlite_template, file)
    asyncio.run(_settle(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Server, postgresql_template: str) -> str:
    name = f"hub_settled_{next(_numbers)}"
    asyncio.run(postgresql.run(f"CREATE DATABASE {name} TEMPLATE {postgresql_template}"))
    asyncio.run(_settle(postgresql.url(name)))
    return name
