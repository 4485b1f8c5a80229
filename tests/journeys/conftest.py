"""A whole hub, and people at real browsers."""

from collections.abc import AsyncGenerator

import pytest
from browsing import chromium_beside_a_hub
from playwright.async_api import Browser, Page
from serving import Served, serve
from settled import settled_by
from upstream.fixtures import Upstream
from world import open_world, settle

from hub.keys import Keyring
from hub.storage import Database

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    """The embedded database: what differs on PostgreSQL is below the doors, and tested there."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def served(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[Served]:
    """The application with its worker, on a free port of this machine."""
    async with open_world(database, keys, upstream) as world, serve(world) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncGenerator[Browser]:
    """Chromium, fresh."""
    async with chromium_beside_a_hub() as started:
        yield started


@pytest.fixture
async def page(browser: Browser, served: Served) -> AsyncGenerator[Page]:
    """An empty tab; addresses begin at the hub."""
    context = await browser.new_context(base_url=served.address, viewport={"width": 1280, "height": 900})
    yield await context.new_page()
    await context.close()
