"""Fixtures of the tests of promotions: a world whose connector is in use everywhere, and a later release of it."""

from collections.abc import AsyncGenerator

import pytest
from settled import settled_by
from upstream.fixtures import Upstream
from world import open_world, settle

from hub.keys import Keyring
from hub.storage import Database
from promotions.stage import Stage, open_stage

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
async def stage(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[Stage]:
    async with open_world(database, keys, upstream) as world:
        yield await open_stage(world)
