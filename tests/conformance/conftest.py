"""The test upstream, once for all tests of this folder, and a hub in front of it."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
from settled import settled_by
from upstream.fixtures import running
from world import settle

from conformance.hub_in_front import InFront, hub_in_front_of
from hub.storage import Database

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture(scope="session")
def everything() -> Iterator[str]:
    """The endpoint of the test upstream."""
    with running("conformance.everything") as (_, port):
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    """The embedded database: what differs on PostgreSQL is below the doors, and tested there."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def in_front(everything: str, database: Database, tmp_path: Path) -> AsyncGenerator[InFront]:
    """A hub in front of the test upstream."""
    async with hub_in_front_of(everything, database, tmp_path) as hub:
        yield hub
