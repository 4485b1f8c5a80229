"""Processes that really die (kill -9) at every durable write and at every request: what was promised still holds."""

import json
import random
import time
from collections.abc import Callable
from datetime import timedelta

import anyio
import pytest
from crashing import post
from doomed import KILLED, Doomed
from sqlalchemy import select, update
from upstream.faults import Fault
from world import World

from hub.core.errors import Conflict
from hub.invocations.resume import resume
from hub.invocations.states import DONE, State
from hub.invocations.tables import AttemptRow, InvocationRow
from hub.invocations.undoing import Undo, undo
from hub.ledger import InFlight
from hub.ledger.tables import KeyedRequestRow
from hub.storage import now

pytestmark = pytest.mark.anyio

NOT_DONE = {State.DENIED, State.FAILED, State.NOT_APPLIED, State.EXPIRED, State.CANCELLED, State.PREVIEW_FAILED}


async def settle(world: World) -> list[InvocationRow]:
    """Let all leases and pauses be over, again and again, until nothing is left to do; return every write."""
    for _ in range(12):
        async with world.runtime.database.transaction() as tx:
            at = await now(tx)
            past = {"not_before": None, "lease_until": at - timedelta(seconds=1)}
            await tx.execute(update(InvocationRow).where(InvocationRow.lease_until.is_not(None)).values(past))
            await tx.execute(update(InvocationRow).values(not_before=None))
            await tx.execute(
                update(InvocationRow)
                .where(InvocationRow.state == State.IN_DOUBT.value)
                .values(sent_at=at - timedelta(hours=1))
            )
            rows = list(await tx.scalars(select(InvocationRow)))
        open_rows = [row for row in rows if not State(row.state).is_terminal and row.state != "AWAITING_APPROVAL"]
        if not open_rows:
            return rows
        for row in open_rows:
            try:
                await resume(row.id, world.runtime)
            except Conflict:
                continue
    return rows


async def check_invariants(world: World, rows: list[InvocationRow]) -> None:
    """Never two effects, never a false "done", never a false "not done", one attempt per fencing number."""
    effects = len(world.upstream.store.effects())
    assert effects <= 1
    for row in rows:
        state = State(row.state)
        if state in DONE:
            assert effects == 1, f"{state} and nothing happened"
        if state in NOT_DONE:
            assert effects == 0, f"{state} and it happened"
    async with world.runtime.database.reading() as tx:
        attempts = list(await tx.scalars(select(AttemptRow)))
    assert len({(one.invocation_id, one.fence) for one in attempts}) == len(attempts)
    assert len([one for one in attempts if one.spends]) <= 1


PUT = ("item_put", '{"id": 41, "name": "ruler", "quantity": 3}')
UPDATE = ("item_update", '{"id": 1, "quantity": 90}')
TICKET = ("ticket_create", '{"title": "The pencil broke"}')
NOTE = ("note_post", '{"text": "Back at noon"}')

MOMENTS = [("after", number) for number in range(1, 8)] + [("before", 6), ("before", 7)]
"""The durable writes of a call that commits by itself: received, previewing, previewed, approved, claimed, sent,
committed. Dying before one is dying after the one before it, but for what happened outside in between."""
LATE_MOMENTS = [("after", 2), ("after", 3), ("after", 4), ("before", 5), ("after", 5)]
"""The same from the approval on: taken over, claimed, sent, sealed in a checkpoint, the outcome."""


@pytest.mark.parametrize(
    ("database_url", "call", "moment"),
    [("sqlite", PUT, moment) for moment in MOMENTS] + [("postgresql", UPDATE, moment) for moment in MOMENTS],
    indirect=["database_url"],
)
async def test_a_call_killed_at_any_durable_write_takes_effect_once_or_not_at_all(
    world: World, doomed: Doomed, call: tuple[str, str], moment: tuple[str, int]
) -> None:
    process = doomed.start(world.runtime.database, *moment, "call", *call)

    assert doomed.end_of(process) == KILLED
    rows = await settle(world)

    await check_invariants(world, rows)
    assert [row.state for row in rows] == [State.VERIFIED.value]


@pytest.mark.parametrize(
    ("database_url", "call", "moment"),
    [("postgresql", TICKET, moment) for moment in LATE_MOMENTS] + [("sqlite", NOTE, moment) for moment in LATE_MOMENTS],
    indirect=["database_url"],
)
async def test_an_approved_write_killed_at_any_durable_write_is_never_reported_falsely(
    world: World, doomed: Doomed, call: tuple[str, str], moment: tuple[str, int]
) -> None:
    asked = await world.call(call[0], json.loads(call[1]))
    await world.vote(asked, world.ann)

    assert doomed.end_of(doomed.start(world.runtime.database, *moment, "resume", asked.id)) == KILLED
    rows = await settle(world)

    await check_invariants(world, rows)
    if call == TICKET:  # its reference can be looked up, so nobody has to ask a person
        assert State(rows[0].state).is_terminal


def wait_until(is_true: Callable[[], bool]) -> None:
    """Wait for another process; the deadline is for a test that hangs, not for what is tested."""
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline, "the other process did not get there"
        time.sleep(0.02)


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HANG_AFTER])
@pytest.mark.parametrize(
    ("method", "tool"),
    [
        ("DELETE", ("item_delete", {"id": 1})),
        ("POST", ("ticket_create", {"title": "Broken"})),
        ("GET", ("item_delete", {"id": 1})),
    ],
)
async def test_a_commit_killed_while_a_request_is_under_way_is_never_reported_falsely(
    world: World, doomed: Doomed, method: str, tool: tuple[str, dict[str, object]], fault: Fault
) -> None:
    asked = await world.call(*tool)
    await world.vote(asked, world.ann)
    before = len(world.upstream.store.requests(method))
    world.upstream.store.plan_fault(fault, method=method)

    process = doomed.start(world.runtime.database, "never", 0, "resume", asked.id)
    wait_until(lambda: len(world.upstream.store.requests(method)) > before)
    assert doomed.killed(process) == KILLED
    rows = await settle(world)

    await check_invariants(world, rows)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_upstream_sees_no_second_request_of_a_class_d_write_after_a_crash(
    world: World, doomed: Doomed
) -> None:
    asked = await world.call("note_post", {"text": "Back at noon"})
    await world.vote(asked, world.ann)

    process = doomed.start(world.runtime.database, "after", 3, "resume", asked.id)
    assert doomed.end_of(process) == KILLED  # marked as sent, nothing sent
    rows = await settle(world)

    assert rows[0].state == State.IN_DOUBT.value
    assert world.upstream.store.requests("POST") == []


@pytest.mark.parametrize(
    ("database_url", "moment"),
    [("sqlite", ("after", number)) for number in (1, 3, 6)]
    + [("postgresql", moment) for moment in (("after", 2), ("after", 5), ("before", 7), ("after", 7))],
    indirect=["database_url"],
)
async def test_an_undo_killed_at_any_durable_write_takes_back_once_and_is_found_again(
    world: World, doomed: Doomed, moment: tuple[str, int]
) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 90})
    assert done.state is State.VERIFIED

    process = doomed.start(world.runtime.database, *moment, "undo", done.id)
    assert doomed.end_of(process) == KILLED
    rows = await settle(world)

    assert sorted(row.state for row in rows) == [State.VERIFIED.value] * 2
    (item,) = world.upstream.store.rows("SELECT quantity FROM item WHERE id = 1")
    assert item["quantity"] != 90
    assert len(world.upstream.store.effects()) == 2
    wanted = Undo(caller=world.caller, invocation_id=done.id, reason="a slip", trace_id="trace")
    again = await undo(wanted, world.runtime)
    assert again.repeats
    assert again.id in {row.id for row in rows if row.undoes == done.id}


@pytest.mark.parametrize(
    ("database_url", "moment"),
    [("sqlite", ("after", number)) for number in (1, 2, 7)]
    + [("postgresql", moment) for moment in (("after", 4), ("before", 10), ("after", 10))],
    indirect=["database_url"],
)
async def test_a_request_under_a_key_killed_at_any_durable_write_is_done_once_and_answered(
    world: World, doomed: Doomed, moment: tuple[str, int]
) -> None:
    process = doomed.start(world.runtime.database, *moment, "post", "k", *PUT)
    assert doomed.end_of(process) == KILLED
    is_answered = moment == ("after", 10)
    if not is_answered:
        with pytest.raises(InFlight):
            await post(world.runtime, "k", *PUT)
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(KeyedRequestRow).values(lease_until=await now(tx) - timedelta(seconds=1)))

    await settle(world)
    again = await post(world.runtime, "k", *PUT)
    rows = await settle(world)
    last = await post(world.runtime, "k", *PUT)

    await check_invariants(world, rows)
    assert [(row.id, row.state) for row in rows] == [(again.id, State.VERIFIED.value)]
    assert last.id == again.id


@pytest.mark.more
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("seed", range(20))
async def test_a_call_killed_at_a_random_moment_takes_effect_once_or_not_at_all(
    world: World, doomed: Doomed, seed: int
) -> None:
    process = doomed.start(world.runtime.database, "never", 0, "call", *PUT)
    delay = random.Random(seed).uniform(0, 0.4)  # noqa: S311  # a moment, not a secret

    await anyio.sleep(delay)  # the moment is what is tested
    doomed.killed(process)
    rows = await settle(world)

    await check_invariants(world, rows)
    assert all(row.state == State.VERIFIED.value for row in rows)
