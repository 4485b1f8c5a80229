"""Gives the tests of limits and switches a hub with an upstream and people."""

from collections.abc import AsyncGenerator

import pytest
from doomed import doomed
from settled import settled_by
from upstream.fixtures import Upstream
from world import World, open_world, settle

from hub.keys import Keyring
from hub.storage import Database

__all__ = ["doomed"]

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    async with open_world(database, keys, upstream) as opened:
        yield opened


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both engines."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url
