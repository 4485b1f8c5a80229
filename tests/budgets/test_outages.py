"""Systems that do not answer: three failures and the hub's own look mark a connection, and a look restores it."""

import asyncio

import pytest
from continued import continue_due
from sqlalchemy import select, update
from upstream.faults import Fault
from world import World

from hub.audit import EventKind, events_of
from hub.budgets import note_failure
from hub.budgets.tables import OutageRow
from hub.core.ids import new_id
from hub.invocations import contact
from hub.invocations.contact import look_after_connections
from hub.invocations.envelope import envelope
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.registry import disable_connection
from hub.storage import now

pytestmark = pytest.mark.anyio

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
MANY = 1000


def break_down(world: World) -> None:
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, times=MANY)


def mend(world: World) -> None:
    world.upstream.store.rows("DELETE FROM fault")


async def read(world: World) -> State:
    return (await world.call("item_get", {"id": 1})).state


async def another_fails(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        failing = {"failures": 3, "looks": 0, "reason": "It did not answer.", "look_at": await now(tx)}
        tx.add(OutageRow(connection_id=new_id("con"), **failing))


async def outage(world: World) -> OutageRow | None:
    async with world.runtime.database.reading() as tx:
        return await tx.get(OutageRow, world.connection_id)


async def look(world: World) -> int:
    """Let every pause be over, and look."""
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(OutageRow).values(look_at=await now(tx)))
    return await look_after_connections(world.runtime)


async def told(world: World, *kinds: EventKind) -> list[EventKind]:
    async with world.runtime.database.reading() as tx:
        return [one.kind for one in await events_of(tx, world.connection_id) if one.kind in kinds]


async def taken_down(world: World) -> None:
    break_down(world)
    for _ in range(3):
        await read(world)
    await look(world)


@BOTH_ENGINES
async def test_three_failures_and_a_look_mark_a_connection_and_nothing_is_sent_until_one_restores_it(
    world: World,
) -> None:
    await taken_down(world)
    requests = len(world.upstream.store.requests())

    refused = await world.call("item_get", {"id": 1})
    write = await world.call("item_update", {"id": 1, "quantity": 11})
    said = envelope(refused, public_url="http://hub.test")

    assert (refused.state, refused.error_code, write.error_code) == (State.DENIED, *["connection_unavailable"] * 2)
    assert len(world.upstream.store.requests()) == requests
    assert "has not answered since" in said.text
    assert (said.structured["retryable"], said.structured["retry_after_seconds"] >= 1) == (True, True)
    mend(world)
    assert await look(world) == 1
    assert await read(world) is State.SUCCEEDED
    assert await outage(world) is None
    assert await told(world, EventKind.CONNECTION_UNAVAILABLE, EventKind.CONNECTION_RESTORED) == [
        EventKind.CONNECTION_UNAVAILABLE,
        EventKind.CONNECTION_RESTORED,
    ]
    async with world.runtime.database.reading() as tx:
        told_why = [one for one in await events_of(tx, world.connection_id) if "problem" in one.commitments]
    assert [(one.kind, "problem" in one.facts) for one in told_why] == [("connection.unavailable", False)]


async def test_two_failures_mark_nothing_and_an_answer_forgets_them(world: World) -> None:
    world.upstream.store.plan_fault(Fault.ERROR_BEFORE, times=2)
    for _ in range(2):
        assert await read(world) is State.FAILED

    assert await look(world) == 0
    assert await read(world) is State.SUCCEEDED
    assert await outage(world) is None


async def test_bad_arguments_mark_nothing_whatever_the_system_says_of_them(world: World) -> None:
    world.upstream.store.plan_fault(Fault.ERROR_BEFORE, path="/items/666", times=MANY)
    for _ in range(4):
        await world.call("item_get", {"id": 666})
        await world.call("item_get", {"id": 999})  # which is not there: an answer
    for _ in range(4):
        await world.call("item_get", {"id": 666})

    assert await look(world) == 1
    assert await outage(world) is None
    assert await read(world) is State.SUCCEEDED
    assert await told(world, EventKind.CONNECTION_UNAVAILABLE) == []


async def test_while_it_stays_down_the_hub_looks_again_later_and_tells_once(world: World) -> None:
    await taken_down(world)

    assert await look_after_connections(world.runtime) == 0, "not before the pause is over"
    for _ in range(3):
        assert await look(world) == 1

    row = await outage(world)
    assert row is not None
    assert row.looks == 4
    assert await told(world, EventKind.CONNECTION_UNAVAILABLE) == [EventKind.CONNECTION_UNAVAILABLE]


@BOTH_ENGINES
async def test_workers_that_look_at_once_look_once(world: World) -> None:
    break_down(world)
    for _ in range(3):
        await read(world)

    looks = await asyncio.gather(*(look_after_connections(world.runtime) for _ in range(3)))

    assert sum(looks) == 1
    assert await told(world, EventKind.CONNECTION_UNAVAILABLE) == [EventKind.CONNECTION_UNAVAILABLE]


async def test_connections_are_checked_beside_each_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await taken_down(world)
    await another_fails(world)
    both = asyncio.Barrier(2)

    async def answers_when_the_other_is_asked_too(_connection: str, _runtime: object) -> None:
        await both.wait()

    monkeypatch.setattr(contact, "_look", answers_when_the_other_is_asked_too)

    async with asyncio.timeout(60):  # so that it ends if it fails
        assert await look(world) == 2
    assert await outage(world) is None


async def test_a_check_that_fails_keeps_no_other_from_being_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await taken_down(world)
    await another_fails(world)

    async def but_for_one(connection_id: str, _runtime: object) -> None:
        if connection_id != world.connection_id:
            raise RuntimeError(connection_id)

    monkeypatch.setattr(contact, "_look", but_for_one)

    with pytest.raises(RuntimeError, match="con_"):
        await look(world)
    assert await outage(world) is None


@BOTH_ENGINES
async def test_failures_that_meet_are_all_counted(world: World) -> None:
    database = world.runtime.database

    async def fail() -> None:
        async with database.transaction() as tx:
            await note_failure(tx, database, world.connection_id, "It did not answer.")

    await asyncio.gather(*(fail() for _ in range(5)))

    row = await outage(world)
    assert row is not None
    assert (row.failures, row.unavailable_since) == (5, None)


async def test_what_was_approved_waits_until_the_connection_is_back(world: World) -> None:
    posted = await world.call("note_post", {"text": "one"})
    await taken_down(world)
    await world.vote(posted, world.ann)
    requests = len(world.upstream.store.requests())

    await continue_due(world.runtime)

    async with world.runtime.database.reading() as tx:
        waiting = await tx.get_one(InvocationRow, posted.id)
    assert (waiting.state, waiting.error_code) == ("APPROVED", "connection_unavailable")
    assert len(world.upstream.store.requests()) == requests
    mend(world)
    await look(world)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(not_before=None))
    await continue_due(world.runtime)
    assert len(world.upstream.store.effects()) == 1


async def test_a_connection_that_is_disabled_meanwhile_is_looked_at_no_more(world: World) -> None:
    await taken_down(world)
    async with world.runtime.database.transaction() as tx:
        await disable_connection(tx, world.connection_id, world.runtime.authority, reason="It moves.")

    await look(world)

    async with world.runtime.database.reading() as tx:
        assert (await tx.scalars(select(OutageRow))).all() == []
