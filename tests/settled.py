"""Templates of databases in which what all tests of a folder need is on record already.

Making that takes up to a second of a processor, for passwords and the checks of schemas above all; copying it takes
next to nothing. A folder's `conftest.py` says how its databases are settled, and its tests get copies of these
templates in place of the empty ones:

    sqlite_template, postgresql_template = settled_by(settle)
"""

import asyncio
import itertools
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from world import MASTER_KEY

from hub.keys import Keyring
from hub.storage import Database

Settle = Callable[[Database, Keyring], Awaitable[None]]
Fixture = Any
"""What pytest makes of a function, whose type it does not tell."""
Server = Any
"""What the fixture `postgresql` yields."""

_numbers = itertools.count(1)


def settled_by(settle: Settle) -> tuple[Fixture, Fixture]:
    """Return the fixtures `sqlite_template` and `postgresql_template` of a folder, to be called so there."""

    async def settled(url: str) -> None:
        database = Database(url)
        await settle(database, await Keyring.open(database, MASTER_KEY))
        await database.close()

    @pytest.fixture(scope="session", name="sqlite_template")
    def sqlite(empty_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        file = tmp_path_factory.mktemp("settled") / "hub.sqlite"
        shutil.copyfile(empty_sqlite_template, file)
        asyncio.run(settled(f"sqlite+aiosqlite:///{file}"))
        return file

    @pytest.fixture(scope="session", name="postgresql_template")
    def postgresql(postgresql: Server, postgresql_template: str) -> str:
        name = f"hub_settled_{next(_numbers)}"
        asyncio.run(postgresql.run(f"CREATE DATABASE {name} TEMPLATE {postgresql_template}"))
        asyncio.run(settled(postgresql.url(name)))
        return name

    return sqlite, postgresql
