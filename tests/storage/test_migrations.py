"""Migrations: they lead to exactly the models, on both engines, once, whoever starts them."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Protocol

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from hub.cli.models import all_models
from hub.storage import Database
from hub.storage.migrations import current, head, upgrade

pytestmark = pytest.mark.anyio


class PostgreSQL(Protocol):
    """The server of the fixture `postgresql`, as far as it is needed here."""

    async def run(self, *statements: str) -> None: ...

    def url(self, name: str) -> str: ...


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path, postgresql: PostgreSQL) -> AsyncGenerator[Database]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    else:
        await postgresql.run("DROP DATABASE IF EXISTS hub_empty WITH (FORCE)", "CREATE DATABASE hub_empty")
        url = postgresql.url("hub_empty")
    database = Database(url)
    yield database
    await database.close()


def differences(connection: Connection) -> list[Any]:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), all_models())


async def test_the_migrations_lead_to_the_models(empty: Database) -> None:
    await upgrade(empty)

    async with empty.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_says_which_revision_it_is_at(empty: Database) -> None:
    assert await current(empty) is None

    await upgrade(empty)

    assert await current(empty) == head()


async def test_two_processes_that_migrate_at_once_do_it_once(empty: Database) -> None:
    other = Database(empty.url.render_as_string(hide_password=False))

    await asyncio.gather(upgrade(empty), upgrade(other))
    await other.close()

    assert await current(empty) == head()


async def test_the_drift_check_sees_a_missing_column(empty: Database) -> None:
    await upgrade(empty)
    async with empty.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE votes DROP COLUMN reason"))

    async with empty.engine.connect() as connection:
        assert await connection.run_sync(differences) != []
