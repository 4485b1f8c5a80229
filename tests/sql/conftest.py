"""One shop per test and engine, and a hub that is connected to it."""

import itertools
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from hub.keys import Keyring
from hub.storage import Database

sys.path.insert(0, str(Path(__file__).parent))

from sql_desk import Desk, opened
from sql_shop import Shop
from sql_wire import wired

Server = Any
"""What the fixture of the same name yields."""

_numbers = itertools.count(1)


@pytest.fixture
async def sqlite_shop(tmp_path: Path) -> Shop:
    folder = tmp_path / "systems"
    folder.mkdir()
    shop = Shop(engine="sqlite", url=f"sqlite://{folder / 'shop.db'}", folder=folder)
    await shop.build()
    return shop


@pytest.fixture
async def postgresql_shop(postgresql: Server, tmp_path: Path) -> AsyncGenerator[Shop]:
    name, socket = f"shop_{next(_numbers)}", postgresql._socket_directory
    await postgresql.run(f"CREATE DATABASE {name}")
    async with wired(f"{socket}/.s.PGSQL.5432") as wire:
        url = f"postgresql://127.0.0.1:{wire.port}/{name}"
        shop = Shop(engine="postgresql", url=url, folder=tmp_path, socket=socket, database=name, wire=wire)
        await shop.build()
        yield shop
    await postgresql.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """The shop, once per engine of its own."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


@pytest.fixture
async def hub_database(sqlite_url: str) -> AsyncGenerator[Database]:
    database = Database(sqlite_url)
    yield database
    await database.close()


@pytest.fixture
async def desk(shop: Shop, hub_database: Database) -> AsyncGenerator[Desk]:
    keys = await Keyring.open(hub_database, bytes(range(32)))
    async with opened(shop, hub_database, keys) as desk:
        yield desk
