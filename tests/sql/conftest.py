"""One shop per test and engine, and a hub that is connected to it."""

import asyncio
import itertools
import shutil
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from doomed import doomed
from world import MASTER_KEY

from connectors.sdk.spec import ConnectorSpec
from hub.keys import Keyring
from hub.storage import Database

sys.path.insert(0, str(Path(__file__).parent))

from sql_desk import Desk, opened, settle, spec_of
from sql_shop import Shop
from sql_wire import wired

__all__ = ["doomed"]

Server = Any
"""What the fixture of the same name yields."""

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def sqlite_stock(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop to copy, whose tables are made once."""
    folder = tmp_path_factory.mktemp("stock")
    shop = Shop(engine="sqlite", url=f"sqlite://{folder / 'shop.db'}", folder=folder)
    asyncio.run(shop.build())
    return shop


@pytest.fixture(scope="session")
def postgresql_stock(postgresql: Server, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop to copy, whose tables are made once."""
    name, socket = "shop_stock", postgresql.socket_directory
    asyncio.run(postgresql.run(f"CREATE DATABASE {name}"))
    shop = Shop(engine="postgresql", url="", folder=tmp_path_factory.mktemp("stock"), socket=socket, database=name)
    asyncio.run(shop.build())
    return shop


@pytest.fixture
def sqlite_shop(sqlite_stock: Shop, tmp_path: Path) -> Shop:
    folder = tmp_path / "systems"
    folder.mkdir()
    shutil.copyfile(sqlite_stock.folder / "shop.db", folder / "shop.db")
    return Shop(engine="sqlite", url=f"sqlite://{folder / 'shop.db'}", folder=folder)


@pytest.fixture
async def postgresql_shop(postgresql: Server, postgresql_stock: Shop, tmp_path: Path) -> AsyncGenerator[Shop]:
    name, socket = f"shop_{next(_numbers)}", postgresql.socket_directory
    await postgresql.run(f"CREATE DATABASE {name} TEMPLATE {postgresql_stock.database}")
    async with wired(f"{socket}/.s.PGSQL.5432") as wire:
        url = f"postgresql://127.0.0.1:{wire.port}/{name}"
        yield Shop(engine="postgresql", url=url, folder=tmp_path, socket=socket, database=name, wire=wire)
    await postgresql.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """The shop, once per engine of its own."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The database file of a hub whose people are there, and the connector that is registered in it."""

    file: Path
    spec: ConnectorSpec


@pytest.fixture(scope="session")
def settled_hubs() -> dict[str, Settled]:
    """By engine of the shop: its manifest is compiled and registered once, for all shops are alike."""
    return {}


@pytest.fixture
async def settled_hub(
    shop: Shop, settled_hubs: dict[str, Settled], sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Settled:
    if shop.engine not in settled_hubs:
        file, spec = tmp_path_factory.mktemp("settled") / "hub.sqlite", await spec_of(shop)
        shutil.copyfile(sqlite_template, file)
        database = Database(f"sqlite+aiosqlite:///{file}")
        await settle(database, await Keyring.open(database, MASTER_KEY), spec)
        await database.close()
        settled_hubs[shop.engine] = Settled(file=file, spec=spec)
    return settled_hubs[shop.engine]


@pytest.fixture
async def desk(shop: Shop, settled_hub: Settled, tmp_path: Path) -> AsyncGenerator[Desk]:
    shutil.copyfile(settled_hub.file, tmp_path / "hub.sqlite")
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'hub.sqlite'}")
    keys = await Keyring.open(database, MASTER_KEY)
    async with opened(shop, database, keys, settled_hub.spec) as desk:
        yield desk
    await database.close()
