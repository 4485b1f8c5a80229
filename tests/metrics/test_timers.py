"""What workers do by the clock: days are rolled up and decisions made again, rightly by two of them, too."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from hub.audit.tables import EventRow
from hub.bundles.tables import BundleRow
from hub.core.errors import Conflict, Unavailable
from hub.metrics.counting import count
from hub.metrics.heartbeats import ages
from hub.metrics.rollup import LEASE
from hub.metrics.tables import CountedRow, ProgressRow
from hub.metrics.values import window_of
from hub.storage import now
from hub.worker import keep, work
from metrics.books import BOTH_ENGINES, Books, roll_up

pytestmark = pytest.mark.anyio

LONGEST = 300
"""Seconds after which a test is given up; nothing here takes as long, whatever else the machine does."""
CLOSED = '@id("nothing") forbid (principal, action, resource);'


@asynccontextmanager
async def working(books: Books, workers: int) -> AsyncGenerator[None]:
    """Let so many workers work, each with all its loops."""
    tasks = [asyncio.create_task(work(books.world.runtime, {})) for _ in range(workers)]
    try:
        async with asyncio.timeout(LONGEST):
            yield
        assert [one for one in tasks if one.done()] == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again until it holds."""
    while not await holds():  # noqa: ASYNC110  # it stands in the database
        await asyncio.sleep(0.05)


async def rolled(books: Books) -> dict[str, int]:
    """Return what was rolled up of all calls, by what was counted."""
    async with books.database.reading() as tx:
        rows = (await tx.scalars(select(CountedRow).where(CountedRow.decider == ""))).all()
    found = dict[str, int]()
    for row in rows:
        found[row.count] = found.get(row.count, 0) + row.n
    return found


async def progress(books: Books) -> ProgressRow | None:
    async with books.database.reading() as tx:
        return await tx.scalar(select(ProgressRow))


def failures(logs: list[Any]) -> list[Any]:
    """Return what a worker says of steps that went wrong."""
    return [one for one in logs if "step of the worker" in one["event"]]


@BOTH_ENGINES
async def test_two_workers_roll_up_what_is_over_once_and_say_that_they_are_there(books: Books) -> None:
    day = await books.days_ago(3, *[await books.call("item_get", {"id": 1}) for _ in range(3)])
    async with books.database.reading() as tx:
        live = await count(tx, window_of(day))

    async def is_counted() -> bool:
        row = await progress(books)
        return row is not None and row.seen_until is not None

    async def are_heard_of() -> bool:
        async with books.database.reading() as tx:
            return len(await ages(tx)) == 2

    with capture_logs() as logs:
        async with working(books, 2):
            await until(is_counted)
            await until(are_heard_of)

    assert sum((await rolled(books)).values()) == sum(live.values()) > 0
    assert failures(logs) == []


async def test_what_a_dead_process_was_counting_is_counted_once_its_lease_is_over(books: Books) -> None:
    await books.days_ago(3, await books.call("item_get", {"id": 1}))
    await roll_up(books)
    async with books.database.transaction() as tx:
        await tx.execute(update(CountedRow).values(n=99))
        lost = {"fence": 7, "lease_until": await now(tx) + LEASE, "counted_until": None, "seen_until": None}
        await tx.execute(update(ProgressRow).values(lost))
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        await roll_up(books)

    loops = [asyncio.create_task(keep(look, pause=0.01)) for _ in range(2)]
    try:
        async with asyncio.timeout(LONGEST):

            async def have_looked() -> bool:
                return looks > 4

            await until(have_looked)
            while_it_lasts = set((await rolled(books)).values())
            async with books.database.transaction() as tx:
                await tx.execute(update(ProgressRow).values(lease_until=await now(tx) - timedelta(seconds=1)))

            async def is_mended() -> bool:
                return 99 not in (await rolled(books)).values()

            await until(is_mended)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    assert while_it_lasts >= {99}
    taken = await progress(books)
    assert taken is not None
    assert taken.fence > 7


@BOTH_ENGINES
async def test_workers_make_the_last_days_decisions_again_and_say_what_is_not_as_it_was(books: Books) -> None:
    old, _ = [await books.call("item_get", {"id": 1}) for _ in range(2)]
    async with books.database.transaction() as tx:
        long_ago = await now(tx) - timedelta(days=2)
        await tx.execute(update(EventRow).where(EventRow.subject == old.id).values(at=long_ago))
        await tx.execute(update(BundleRow).values(text=CLOSED))  # not the rules that its digest is of
    with capture_logs() as logs:

        def told() -> list[Mapping[str, Any]]:
            return [one for one in logs if "do not come out the same" in one["event"]]

        async def both_have_told() -> bool:
            return len(told()) == 2

        async with working(books, 2):
            await until(both_have_told)

    assert [(one["log_level"], one["decisions"], one["unreadable"]) for one in told()] == [("error", 0, 1)] * 2
    assert failures(logs) == []


async def test_a_loop_goes_on_whatever_goes_wrong_and_tells_all_but_that_another_was_quicker() -> None:
    came = asyncio.Event()
    wrong: list[Exception] = [Conflict("Another was quicker."), Unavailable("Gone."), RuntimeError("a mistake")]

    async def act() -> None:
        if wrong:
            raise wrong.pop(0)
        came.set()

    with capture_logs() as logs:
        async with asyncio.timeout(LONGEST):
            loop = asyncio.create_task(keep(act, pause=0))
            await came.wait()
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    assert [(one["log_level"], one.get("code")) for one in logs] == [("warning", "unavailable"), ("error", None)]
