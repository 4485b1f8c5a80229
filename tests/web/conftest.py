"""Puts this folder's own modules (the gallery, the browser) within reach of its tests, and gives them a hub."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from settled import settled_by
from upstream.fixtures import Upstream
from world import PASSWORD, World, open_world, settle

from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.keys import Keyring
from hub.storage import Database

sys.path.append(str(Path(__file__).parent))

from web_visitor import Visitor, browser_of  # it is in the folder added above

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    """One engine is enough where nothing but the door is looked at; voting is tested on both."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """A hub with an upstream, an agent and people."""
    async with open_world(database, keys, upstream) as opened:
        yield opened


@pytest.fixture
async def visitor(world: World) -> AsyncGenerator[Visitor]:
    """Somebody at a browser, not logged in."""
    async with browser_of(world.runtime) as opened:
        yield opened


@pytest.fixture
async def ann(visitor: Visitor) -> Visitor:
    """The approver, logged in."""
    await visitor.log_in("ann", PASSWORD)
    return visitor


@pytest.fixture
async def root(world: World, ann: Visitor) -> Visitor:
    """Ann, who has been made administrator."""
    async with world.runtime.database.transaction() as tx:
        roles = frozenset({Role.ADMINISTRATOR, Role.MEMBER})
        await set_roles(tx, world.ann.id, roles, world.runtime.authority)
    return ann
