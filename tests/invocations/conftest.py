"""Fixtures of the invocation tests: a world per test and engine."""

from collections.abc import AsyncGenerator

import pytest
from settled import postgresql_template, sqlite_template
from upstream.fixtures import Upstream
from world import World, open_world

from hub.keys import Keyring
from hub.storage import Database

__all__ = ["postgresql_template", "sqlite_template"]


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    async with open_world(database, keys, upstream) as opened:
        yield opened
