"""Migrations: brings a database's schema to the one this release needs, on both engines."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.core.errors import Unavailable
from hub.storage.database import Database

_HERE: Final = Path(__file__).parent
_MIGRATION_LOCK: Final = 7_301_003
_WAIT_FOR_LOCKS: Final = "SET LOCAL lock_timeout = '5s'"
_LONGEST_STATEMENT: Final = "SET LOCAL statement_timeout = '10min'"


def head() -> str:
    """Return the revision that this release needs."""
    return cast("str", ScriptDirectory.from_config(_config()).get_current_head())


async def current(database: Database) -> str | None:
    """Return the revision the database is at, None if it has none.

    Raises:
        Unavailable: the database does not answer.
    """
    async with _connected(database) as connection:
        return await connection.run_sync(lambda raw: MigrationContext.configure(raw).get_current_revision())


async def upgrade(database: Database) -> None:
    """Bring the database to `head()`. Two processes that try at once do it one after the other."""
    async with _connected(database) as connection:
        await connection.execution_options(hub_writes=True)
        async with connection.begin():
            if not database.is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
                await connection.execute(text(_WAIT_FOR_LOCKS))
                await connection.execute(text(_LONGEST_STATEMENT))
            await connection.run_sync(_upgrade)


@asynccontextmanager
async def _connected(database: Database) -> AsyncGenerator[AsyncConnection]:
    async with AsyncExitStack() as until_done:
        try:
            connection = await until_done.enter_async_context(database.engine.connect())
        except OSError as error:  # which would name neither the database nor where it was looked for
            where = database.url.render_as_string(hide_password=True)
            raise Unavailable(f"The database {where} does not answer: {error.strerror or error}.") from error
        yield connection


def write_revision(connection: Connection, metadata: MetaData, message: str, revision_id: str) -> None:
    """Write a new revision file with what `metadata` has and the database behind `connection` has not."""
    config = _config(connection)
    config.attributes["metadata"] = metadata
    command.revision(config, message=message, rev_id=revision_id, autogenerate=True)


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    if connection is not None:
        attributes: dict[Any, Any] = config.attributes
        attributes["connection"] = connection
    return config
