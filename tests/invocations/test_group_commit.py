"""Reads put on record together, and what of them is when the hub stops: told, or refused, never left hanging."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs
from world import World

from hub.audit import Event, EventKind
from hub.core.errors import Unavailable
from hub.core.ids import new_id
from hub.invocations.group_commit import GroupCommit
from hub.invocations.tables import InvocationRow, NewRow
from hub.invocations.tasks import Tasks
from hub.storage import Compose, Database

pytestmark = pytest.mark.anyio

ENDLESS = 3600.0


class Gated(Database):
    """A database that tells nobody what was appended until the gate is opened."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()

    async def append(self, compose: Compose) -> None:
        await super().append(compose)
        self.reached.set()
        await self.gate.wait()


class Counted(Database):
    """A database that counts how often something was appended."""

    appended = 0

    async def append(self, compose: Compose) -> None:
        self.appended += 1
        await super().append(compose)


@pytest.fixture
async def counted(database_url: str) -> AsyncGenerator[Counted]:
    """The world's database once more, with a count."""
    opened = Counted(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def gated(database_url: str) -> AsyncGenerator[Gated]:
    """The world's database once more, behind a gate."""
    opened = Gated(database_url)
    yield opened
    opened.gate.set()
    await opened.close()


async def another_read(world: World) -> tuple[NewRow, Event]:
    """Return the record of one more read, which is nowhere yet."""
    read = await world.call("item_get", {"id": 1})
    async with world.runtime.database.reading() as tx:
        row = await tx.get_one(InvocationRow, read.id)
    columns = {name: getattr(row, name) for name in InvocationRow.__mapper__.columns.keys()}  # noqa: SIM118  # no mapping
    again = NewRow(**{**columns, "id": new_id("inv")})
    return again, Event(kind=EventKind.INVOCATION_READ, subject=again.id, trace_id="trace")


async def serve(records: GroupCommit, begin: asyncio.Event) -> None:
    async with records.running():
        begin.set()
        await asyncio.Event().wait()


async def some_turns() -> None:
    """Let everything that can go on do so."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_reads_that_come_out_one_after_the_other_share_a_commit(world: World, counted: Counted) -> None:
    first, second, third = [await another_read(world) for _ in range(3)]
    records = GroupCommit(counted, world.runtime.keys, apart_seconds=ENDLESS)
    async with records.running():
        with records.coming():
            await records.record(*first)
        with records.coming(), records.coming():
            one = asyncio.create_task(records.record(*second))
            await some_turns()
            at_rest = counted.appended, one.done()
            other = asyncio.create_task(records.record(*third))
            await asyncio.gather(one, other)

    assert at_rest == (1, False)
    assert counted.appended == 2


async def test_nobody_waits_for_reads_that_are_not_under_way(world: World, counted: Counted) -> None:
    records = GroupCommit(counted, world.runtime.keys, apart_seconds=ENDLESS)
    async with records.running():
        for _ in range(2):
            row, event = await another_read(world)
            with records.coming():
                await records.record(row, event)

    assert counted.appended == 2


async def test_a_read_that_ends_without_a_record_is_waited_for_no_more(world: World, counted: Counted) -> None:
    first, second = await another_read(world), await another_read(world)
    records = GroupCommit(counted, world.runtime.keys, apart_seconds=ENDLESS)
    async with records.running():
        await records.record(*first)
        with records.coming():
            with records.coming():
                waiting = asyncio.create_task(records.record(*second))
                await some_turns()
            await waiting

    assert counted.appended == 2


async def test_nobody_waits_for_others_longer_than_commits_are_apart(world: World, counted: Counted) -> None:
    first, second = await another_read(world), await another_read(world)
    records = GroupCommit(counted, world.runtime.keys, apart_seconds=0.01)
    async with records.running():
        await records.record(*first)
        with records.coming(), records.coming():  # one of them never comes out
            await records.record(*second)

    assert counted.appended == 2


async def test_a_hub_that_stops_waits_for_no_more_reads(world: World, counted: Counted) -> None:
    first, second = await another_read(world), await another_read(world)
    records = GroupCommit(counted, world.runtime.keys, apart_seconds=ENDLESS)
    with records.coming(), records.coming():
        async with records.running():
            await records.record(*first)
            waiting = asyncio.create_task(records.record(*second))
            await some_turns()

    assert waiting.done()
    assert counted.appended == 2


async def test_a_commit_under_way_is_finished_and_told_before_the_hub_has_stopped(world: World, gated: Gated) -> None:
    row, event = await another_read(world)
    records, running = GroupCommit(gated, world.runtime.keys), asyncio.Event()
    hub = asyncio.create_task(serve(records, running))
    await running.wait()
    answer = asyncio.create_task(records.record(row, event))
    await gated.reached.wait()

    hub.cancel()
    await some_turns()
    hub.cancel()  # whoever stops it is impatient
    await some_turns()

    is_held = not hub.done()
    gated.gate.set()
    await asyncio.wait([hub])

    assert is_held
    assert hub.cancelled()
    assert answer.done()
    await answer
    async with gated.reading() as tx:
        assert await tx.scalar(select(InvocationRow.id).where(InvocationRow.id == row.id)) == row.id


async def test_a_hub_that_has_stopped_puts_nothing_more_on_record_and_says_so(world: World, gated: Gated) -> None:
    row, event = await another_read(world)
    records = GroupCommit(gated, world.runtime.keys)
    async with records.running():
        pass

    with pytest.raises(Unavailable, match="stopping"):
        await asyncio.wait_for(records.record(row, event), 30)


async def test_what_waits_is_told_when_the_event_loop_itself_is_closed(world: World, gated: Gated) -> None:
    row, event = await another_read(world)
    records = GroupCommit(gated, world.runtime.keys)
    before = asyncio.all_tasks()
    async with records.running():
        (committer,) = asyncio.all_tasks() - before
        answer = asyncio.create_task(records.record(row, event))
        await gated.reached.wait()
        committer.cancel()  # as asyncio.run() does with every task that is left

        with pytest.raises(Unavailable, match="whether it was is not known"):
            await answer


async def test_nobody_waits_for_a_committer_that_is_gone_and_closing_does_not_either(
    world: World, gated: Gated
) -> None:
    row, event = await another_read(world)
    records = GroupCommit(gated, world.runtime.keys)
    before = asyncio.all_tasks()

    async with records.running():
        (committer,) = asyncio.all_tasks() - before
        committer.cancel()
        await asyncio.gather(committer, return_exceptions=True)
        with pytest.raises(Unavailable, match="Try again"):
            await records.record(row, event)


async def test_closing_does_not_wait_for_a_call_that_does_not_heed_its_cancellation() -> None:
    tasks, free, began = Tasks(), asyncio.Event(), asyncio.Event()

    async def deaf() -> None:
        began.set()
        while not free.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await free.wait()

    assert await tasks.within(0, deaf()) is None
    await began.wait()
    with capture_logs() as logs:
        await tasks.drain(0.01)
    free.set()
    await tasks.drain(60)

    assert [(one["log_level"], one["calls"]) for one in logs] == [("error", 1)]
