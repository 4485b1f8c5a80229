"""Fixtures of the tests of plans: a world per test and engine, in which nobody is told to come back later."""

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
