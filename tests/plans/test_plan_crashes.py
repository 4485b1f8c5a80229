"""Processes that really die (kill -9) anywhere in a plan: it goes on where the record stands, nothing happens twice.

Every moment is tried, for each way a plan may go: right after each durable write of the process on SQLite, and right
before it on PostgreSQL.
The plans of one way share a world, each with items and an agent of its own; `make test-more` tries them all.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from doomed import KILLED, Doomed
from sqlalchemy import select
from upstream.composites import COPY, COUNT, LOOK, PUT, RENAME, changed
from upstream.faults import Fault
from world import World

from hub.audit import EventKind, events_of
from hub.identity.clients import NewAgent, create_agent
from hub.identity.principals import Caller
from hub.invocations.journal import load
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import AttemptRow, InvocationRow
from hub.invocations.values import Invocation
from plans.errand import begun, caller_of, calls_of, carried_out, let_leases_end, offer, settle, statuses

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
BOTH_ENGINES = pytest.mark.parametrize(
    ("database_url", "when"), [("sqlite", "after"), ("postgresql", "before")], indirect=["database_url"]
)
"""Each moment on both engines, right before the write on one and right after it on the other."""
FORWARDS = [LOOK, COPY, RENAME]
AGAIN = {**changed(PUT, id={"$from": "/input/old"}), "name": "again"}
"""A step that its system refuses: there is an item of that number."""
BACKWARDS = [PUT, RENAME, AGAIN]
_MOST_MOMENTS = 80
_OWN = 1000
"""The number of the first item that a plan of a matrix adds; the one that it renames has half of that."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One plan of a world that has many: its items and its agent are its own."""

    world: World
    number: int
    caller: Caller
    again: int = 0
    """At which of its durable writes the process that goes on dies, too; 0: nobody else dies."""

    @property
    def added(self) -> int:
        return _OWN + self.number

    @property
    def old(self) -> int:
        return _OWN // 2 + self.number

    @property
    def arguments(self) -> dict[str, int | str]:
        """What its agent calls it with."""
        return {"id": self.added, "name": "ruler", "old": self.old}

    async def asked(self) -> Invocation:
        """Return the plan as its agent has called it; a repeat joins it."""
        return await self.world.call("restock", self.arguments, caller=self.caller)

    async def approved(self) -> Invocation:
        """Return the plan as ann has agreed to it."""
        asked = await self.asked()
        assert asked.state is State.AWAITING_APPROVAL, (asked.state, asked.error_message)
        return await self.world.vote(asked, self.world.ann)

    async def begun(self) -> Invocation:
        """Return the plan as a worker has begun it; nothing of it is sent yet."""
        plan = await resume((await self.approved()).id, self.world.runtime)
        assert plan.state is State.SENT, (plan.state, plan.error_message)
        return plan

    def stands(self) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
        """Return what there is of the old item, and of the added one: name and quantity."""
        found = {one["id"]: (one["name"], one["quantity"]) for one in self.world.upstream.store.rows(_ITEMS)}
        return found.get(self.old), found.get(self.added)

    async def check(self, plan: Invocation, *, effects_before: int, effects: int) -> None:
        """Check what holds of every plan, whatever has happened (governance, section 5)."""
        assert len(self.world.upstream.store.effects()) - effects_before == effects
        calls = await calls_of(self.world, plan)
        steps = [one.part for one in calls if one.undoes is None and one.tool_name != "item_get"]
        assert len(steps) == len(set(steps))
        async with self.world.runtime.database.reading() as tx:
            for call in [plan, *calls]:
                mine = select(AttemptRow).where(AttemptRow.invocation_id == call.id)
                attempts = list(await tx.scalars(mine))
                assert len({one.fence for one in attempts}) == len(attempts)
                assert {one.spends for one in attempts if one.spends} <= {call.approval_digest}
                kinds = [event.kind for event in await events_of(tx, call.id)]
                assert kinds.count(EventKind.COMMIT_SENT) == len(attempts)
                assert (await load(tx, call.id)).state.is_terminal, call.state


_ITEMS = "SELECT * FROM item"


async def errand(world: World, number: int, again: int = 0) -> Errand:
    """Return the plan of a new agent, with an old item of its own."""
    world.upstream.store.rows("INSERT INTO item VALUES (?, 'pencil', 10, 1)", _OWN // 2 + number)
    new = NewAgent(
        name=f"errand-{number}",
        display_name="Bot",
        owner_id=world.rita.id,
        allowed_scopes=caller_of(world).scopes,
        allowed_servers=frozenset({"everything"}),
    )
    async with world.runtime.database.transaction() as tx:
        bot = await create_agent(tx, new, world.runtime.authority)
    return Errand(world, number, replace(caller_of(world), actor=bot, client_id=bot.id), again)


def killed(one: Errand, doomed: Doomed, when: str, number: int, *order: str) -> int:
    """Let a process die while it does `order`, and perhaps another that goes on; return how the first ended."""
    database = one.world.runtime.database
    ended = doomed.end_of(doomed.start(database, when, number, *order))
    if one.again:
        assert doomed.end_of(doomed.start(database, when, one.again, "go_on")) == KILLED, (number, one.again)
    return ended


async def goes_forwards(one: Errand, doomed: Doomed, when: str, number: int) -> int:
    plan = await one.begun()
    return await _killed_and_done(one, plan, doomed, when, number)


async def begins(one: Errand, doomed: Doomed, when: str, number: int) -> int:
    plan = await one.approved()
    return await _killed_and_done(one, plan, doomed, when, number)


async def _killed_and_done(one: Errand, plan: Invocation, doomed: Doomed, when: str, number: int) -> int:
    before = len(one.world.upstream.store.effects())
    ended = killed(one, doomed, when, number, "resume", plan.id)
    done = await carried_out(one.world, plan)
    assert done.state is State.VERIFIED, (done.state, done.error_message)
    assert one.stands() == (("retired", 10), ("ruler", 10))
    await one.check(done, effects_before=before, effects=2)
    return ended


async def is_proposed(one: Errand, doomed: Doomed, when: str, number: int) -> int:
    before, database = len(one.world.upstream.store.effects()), one.world.runtime.database
    order = ("call", "restock", json.dumps(one.arguments), one.caller.actor.name)
    ended = killed(one, doomed, when, number, *order)
    await settle(one.world)
    assert len(one.world.upstream.store.effects()) == before
    plan = await one.asked()  # joins what is on record, if anything is
    assert plan.state is State.AWAITING_APPROVAL, (plan.state, plan.error_message)
    async with database.reading() as tx:
        rows = select(InvocationRow.id).where(InvocationRow.tool_name == "restock")
        assert list(await tx.scalars(rows.where(InvocationRow.agent_id == one.caller.actor.id))) == [plan.id]
    await one.world.vote(plan, one.world.ann)
    done = await carried_out(one.world, plan)
    assert done.state is State.VERIFIED, (done.state, done.error_message)
    await one.check(done, effects_before=before, effects=2)
    return ended


async def goes_backwards(one: Errand, doomed: Doomed, when: str, number: int) -> int:
    plan = await one.begun()
    before = len(one.world.upstream.store.effects())
    await resume(plan.id, one.world.runtime)
    (refused,) = [call for call in await calls_of(one.world, plan) if call.state is State.STALE]
    await resume(refused.id, one.world.runtime)  # it comes to nothing, and the next who looks takes the others back
    await let_leases_end(one.world.runtime.database)
    ended = killed(one, doomed, when, number, "resume", plan.id)
    await _is_undone(one, plan, before)
    return ended


async def _is_undone(one: Errand, plan: Invocation, before: int) -> None:
    undone = await carried_out(one.world, plan)
    assert undone.state is State.UNDONE, (undone.state, undone.error_message)
    assert one.stands() == (("pencil", 10), None)
    assert await statuses(one.world, plan) == ["taken_back", "taken_back", "not_done"]
    await one.check(undone, effects_before=before, effects=4)


Way = Callable[[Errand, Doomed, str, int], Awaitable[int]]
WAYS: dict[str, tuple[list[dict[str, object]], Way]] = {
    "proposed": ([*FORWARDS], is_proposed),
    "begun": ([*FORWARDS], begins),
    "forwards": ([*FORWARDS], goes_forwards),
    "backwards": ([*BACKWARDS], goes_backwards),
}

_FEWEST = {"proposed": 5, "begun": 5, "forwards": 15, "backwards": 15}
"""How many durable writes there are at least, so that nobody believes in a matrix that has tried nothing."""


@pytest.mark.more
@BOTH_ENGINES
@pytest.mark.parametrize("way", WAYS)
async def test_a_plan_killed_at_any_durable_write_comes_out_as_if_nothing_had_happened(
    world: World, doomed: Doomed, way: str, when: str
) -> None:
    steps, play = WAYS[way]
    await offer(world, steps)

    tried = 0
    for number in range(1, _MOST_MOMENTS):
        tried = number
        if await play(await errand(world, number), doomed, when, number) != KILLED:
            break

    print(f"{way}, killed {when} each of {tried - 1} durable writes")  # noqa: T201  # how many moments there are
    assert _FEWEST[way] <= tried < _MOST_MOMENTS


CORE = {
    "proposed after a read": ("proposed", "after", 3),
    "begun after a read": ("begun", "after", 3),
    "forwards, first step sent": ("forwards", "after", 9),
    "backwards, undo sent": ("backwards", "after", 9),
}


@pytest.mark.parametrize(
    ("database_url", "moment"),
    [*(("sqlite", one) for one in CORE), ("postgresql", "backwards, undo sent")],
    indirect=["database_url"],
)
async def test_a_plan_killed_midway_goes_on_and_no_step_takes_effect_twice(
    world: World, doomed: Doomed, moment: str
) -> None:
    way, when, number = CORE[moment]
    steps, play = WAYS[way]
    await offer(world, steps)

    assert await play(await errand(world, 1), doomed, when, number) == KILLED


TWICE = {
    "begun": [(3, 6)],
    "forwards": [(2, 5), (5, 12), (9, 2), (12, 4)],
    "backwards": [(3, 4), (6, 12), (9, 3)],
}
"""At which durable write the first process dies, and at which of its own the one that goes on."""


@pytest.mark.more
@BOTH_ENGINES
@pytest.mark.parametrize("way", TWICE)
async def test_a_plan_killed_again_while_another_goes_on_comes_out_as_if_nothing_had_happened(
    world: World, doomed: Doomed, way: str, when: str
) -> None:
    steps, play = WAYS[way]
    await offer(world, steps)

    for number, (first, second) in enumerate(TWICE[way], 1):
        assert await play(await errand(world, number, second), doomed, when, first) == KILLED


@pytest.mark.parametrize("way", ["forwards", "backwards"])
@SQLITE
async def test_a_plan_killed_midway_and_again_while_another_goes_on_takes_effect_once(
    world: World, doomed: Doomed, way: str
) -> None:
    steps, play = WAYS[way]
    await offer(world, steps)

    assert await play(await errand(world, 1, again=7), doomed, "after", 9) == KILLED


@pytest.mark.parametrize("goes", ["forwards", "backwards"])
@POSTGRESQL
async def test_two_workers_that_wake_up_for_one_plan_carry_each_step_out_and_take_it_back_once(
    world: World, doomed: Doomed, goes: str
) -> None:
    await offer(world, FORWARDS if goes == "forwards" else BACKWARDS)
    one = await errand(world, 1)
    plan = await one.begun()

    both = [doomed.start(world.runtime.database, "never", 0, "resume", plan.id) for _ in range(2)]
    ended = [doomed.end_of(process) for process in both]
    done = await carried_out(world, plan)

    assert 0 in ended
    assert KILLED not in ended
    assert done.state is (State.VERIFIED if goes == "forwards" else State.UNDONE), done.error_message
    await one.check(done, effects_before=0, effects=2 if goes == "forwards" else 4)


@SQLITE
async def test_a_step_whose_answer_was_lost_is_settled_by_its_condition_and_then_the_plan_goes_on(world: World) -> None:
    plan = await begun(world, [PUT, RENAME, changed(COUNT, quantity=5)])
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PATCH")

    done = await carried_out(world, plan)

    assert done.state is State.VERIFIED, (done.state, done.error_message)
    assert len(world.upstream.store.effects()) == 3


@SQLITE
async def test_a_step_that_needs_an_answer_that_was_lost_for_good_is_not_called(world: World) -> None:
    plan = await begun(world)
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PATCH")

    undone = await carried_out(world, plan)

    assert undone.state is State.UNDONE
    assert "the step 'rename' answered nothing at /quantity" in (undone.error_message or "")
