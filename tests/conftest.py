"""Fixtures for every test: fresh databases on both engines, their keys, and asyncio as anyio's backend."""

import asyncio
import gc
import importlib
import itertools
import shutil
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Final

import pytest
import structlog
from postgresql import PostgreSQL, running_postgresql
from zygotes import zygote_for_this_loop

import hub
from hub.keys import Keyring
from hub.storage import Base, Database

MASTER_KEY: Final = bytes(range(32))

# As the hub's processes have it: structlog's own way draws tracebacks with every local variable, which takes seconds.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])

_numbers = itertools.count(1)


def pytest_collection_finish() -> None:
    """Spare what stays until the end, thousands of tests and all they import, from being searched for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
async def _zygote(anyio_backend: str) -> AsyncGenerator[None]:
    """One for all worlds of a module, and so one event loop for all its tests."""
    del anyio_backend
    async with zygote_for_this_loop():
        yield


@pytest.fixture(scope="session")
def postgresql() -> Generator[PostgreSQL]:
    """One server per session. It forgets on power failure, which no test causes, and is much faster for it."""
    with running_postgresql(is_durable=False) as server:
        yield server


def import_all_tables() -> None:
    """Import every feature's tables, so that `Base.metadata` is complete."""
    for file in sorted(Path(hub.__file__).parent.glob("*/tables*.py")):
        importlib.import_module(f"hub.{file.parent.name}.{file.stem}")


async def _create_schema(url: str) -> None:
    import_all_tables()
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await database.close()


@pytest.fixture(scope="session")
def empty_sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schema and nothing else."""
    file = tmp_path_factory.mktemp("template") / "hub.sqlite"
    asyncio.run(_create_schema(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def sqlite_template(empty_sqlite_template: Path) -> Path:
    """What every fresh SQLite database is a copy of; folders that have something in all of theirs say so."""
    return empty_sqlite_template


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgreSQL) -> str:
    asyncio.run(postgresql.run("CREATE DATABASE hub_template"))
    asyncio.run(_create_schema(postgresql.url("hub_template")))
    return "hub_template"


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh SQLite database with the hub's schema."""
    file = tmp_path / "hub.sqlite"
    shutil.copyfile(sqlite_template, file)
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture
async def postgresql_url(postgresql: PostgreSQL, postgresql_template: str) -> AsyncGenerator[str]:
    """The URL of a fresh PostgreSQL database with the hub's schema."""
    name = f"hub_{next(_numbers)}"
    await postgresql.run(f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
    yield postgresql.url(name)
    await postgresql.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database with the hub's schema, once per engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """A fresh database with the hub's schema, once per engine."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def keys(database: Database) -> Keyring:
    """The keyring of `database`."""
    return await Keyring.open(database, MASTER_KEY)
