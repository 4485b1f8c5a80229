"""Fixtures of the channel tests: a world per test, whose calls are waited for however slow the machine is."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from settled import settled_by
from upstream.fixtures import Upstream
from world import World, open_world, settle

from channels.slack_double import Sender, Slack, sender_to
from hub.keys import Keyring
from hub.storage import Database

sqlite_template, postgresql_template = settled_by(settle)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncGenerator[Database]:
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    async with open_world(database, keys, upstream) as opened:
        yield opened


@pytest.fixture
async def slack() -> AsyncGenerator[Slack]:
    double = Slack()
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    double.port = server.sockets[0].getsockname()[1]
    yield double
    server.close()


@pytest.fixture
async def sender(world: World, slack: Slack) -> AsyncGenerator[Sender]:
    sending = sender_to(world, slack)
    yield sending
    await sending.client.aclose()
