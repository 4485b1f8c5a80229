"""Limits, switches and policies that are read again: once for all, and nobody who asks after a change gets the old."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hub.budgets import Brakes
from hub.bundles import Bundles
from hub.storage import Database, Tx

pytestmark = pytest.mark.anyio

CHANNELS = {"limits and switches": "brakes", "policies": "bundles"}


class Slow(Database):
    """A database that has read what is asked for and does not tell it until the gate is opened."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.readings = 0
        self.has_read = asyncio.Event()
        self.gate = asyncio.Event()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Tx]:
        self.readings += 1
        async with super().reading() as tx:
            yield tx
        self.has_read.set()
        await self.gate.wait()


@pytest.fixture
async def slow(database_url: str) -> AsyncGenerator[Slow]:
    """The database of the test, slow."""
    opened = Slow(database_url)
    yield opened
    opened.gate.set()
    await opened.close()


def asking(kind: str, database: Database) -> Callable[[], Awaitable[object]]:
    """Return what asks for the limits or the policy of now."""
    if kind == "policies":
        bundles = Bundles(database)
        return lambda: bundles.active("dev")
    return Brakes(database).limits


@pytest.mark.parametrize("kind", CHANNELS)
async def test_all_who_ask_at_once_are_answered_by_one_reading(slow: Slow, kind: str) -> None:
    ask = asking(kind, slow)
    several = asyncio.gather(*(ask() for _ in range(5)))
    await slow.has_read.wait()
    slow.gate.set()
    await several

    assert slow.readings == 1


@pytest.mark.parametrize("kind", CHANNELS)
async def test_who_asks_after_a_change_is_not_told_what_was_read_before_it(slow: Slow, kind: str) -> None:
    ask = asking(kind, slow)
    earlier = asyncio.ensure_future(ask())
    await slow.has_read.wait()
    async with slow.transaction() as tx:
        await slow.signal(tx, CHANNELS[kind])
    later = asyncio.ensure_future(ask())
    for _ in range(5):
        await asyncio.sleep(0)
    readings = slow.readings
    slow.gate.set()
    await asyncio.gather(earlier, later)

    assert readings == 2
