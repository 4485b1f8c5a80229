"""A settled database for each client of the matrix."""

from collections.abc import AsyncGenerator

import pytest
from settled import settled_by
from world import settle

from hub.storage import Database

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    """The embedded database: what differs on PostgreSQL is below the doors, and tested there."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()
