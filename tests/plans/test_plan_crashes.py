"""Processes that really die (kill -9) anywhere in a plan: it goes on where the record stands, nothing happens twice."""

import pytest
from doomed import KILLED, Doomed
from sqlalchemy import select
from upstream.composites import COUNT, PUT, RENAME, changed
from upstream.faults import Fault
from world import World

from hub.invocations.states import State
from hub.invocations.tables import AttemptRow
from plans.errand import approved, begun, calls_of, carried_out, items, offer, statuses

pytestmark = pytest.mark.anyio

AGAIN = {**changed(PUT, id={"$from": "/input/old"}), "name": "again"}
FORWARDS = {"first step sent": 9, "third step sent": 30}
"""After which of the durable writes of a process that carries a plan of three steps out it dies; `make test-more` tries
many more of them."""
BACKWARDS = {"stopped": 34, "undo sent": 42}
_LAST_FORWARDS, _LAST_BACKWARDS = 40, 60


def moments(last: int) -> list[tuple[str, str, int]]:
    """Return on which engine a process dies, before or after which durable write; a third of them each."""
    after = [("sqlite", "after", number) for number in range(1, last, 3)]
    return after + [("postgresql", "before", number) for number in range(2, last, 3)]


async def check_invariants(world: World) -> None:
    """One attempt per fencing number, every approval spent once, and no step with two calls."""
    async with world.runtime.database.reading() as tx:
        attempts = list(await tx.scalars(select(AttemptRow)))
    assert len({(one.invocation_id, one.fence) for one in attempts}) == len(attempts)
    spent = [one.spends for one in attempts if one.spends]
    assert len(set(spent)) == len(spent)


async def killed_forwards(world: World, doomed: Doomed, moment: tuple[str, int]) -> None:
    await offer(world)
    plan = await approved(world)
    first = doomed.start(world.runtime.database, "never", 0, "resume", plan.id)
    assert doomed.end_of(first) == 0  # begun
    doomed.end_of(doomed.start(world.runtime.database, *moment, "resume", plan.id))

    done = await carried_out(world, plan)

    assert done.state is State.VERIFIED, (done.state, done.error_message)
    assert items(world) == {1: ("retired", 10), 40: ("ruler", 10)}
    assert len(world.upstream.store.effects()) == 3
    assert len(await calls_of(world, plan)) == 3
    await check_invariants(world)


async def killed_backwards(world: World, doomed: Doomed, moment: tuple[str, int]) -> None:
    plan = await begun(world, [PUT, RENAME, AGAIN])
    before = {1: ("pencil", 10)}
    doomed.end_of(doomed.start(world.runtime.database, *moment, "resume", plan.id))

    undone = await carried_out(world, plan)

    assert undone.state is State.UNDONE, (undone.state, undone.error_message)
    assert items(world) == before
    assert len(world.upstream.store.effects()) == 4
    assert await statuses(world, plan) == ["taken_back", "taken_back", "not_done"]
    await check_invariants(world)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("moment", FORWARDS)
async def test_a_plan_killed_midway_goes_on_and_no_step_takes_effect_twice(
    world: World, doomed: Doomed, moment: str
) -> None:
    await killed_forwards(world, doomed, ("after", FORWARDS[moment]))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("moment", BACKWARDS)
async def test_a_plan_killed_while_it_is_taken_back_is_taken_back_once(
    world: World, doomed: Doomed, moment: str
) -> None:
    await killed_backwards(world, doomed, ("after", BACKWARDS[moment]))


@pytest.mark.more
@pytest.mark.parametrize(("database_url", "when", "number"), moments(_LAST_FORWARDS), indirect=["database_url"])
async def test_a_plan_killed_at_any_durable_write_goes_on_from_there(
    world: World, doomed: Doomed, when: str, number: int
) -> None:
    await killed_forwards(world, doomed, (when, number))


@pytest.mark.more
@pytest.mark.parametrize(("database_url", "when", "number"), moments(_LAST_BACKWARDS), indirect=["database_url"])
async def test_a_plan_killed_at_any_durable_write_of_its_taking_back_is_taken_back_once(
    world: World, doomed: Doomed, when: str, number: int
) -> None:
    await killed_backwards(world, doomed, (when, number))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_workers_that_wake_up_for_one_plan_carry_each_step_out_once(world: World, doomed: Doomed) -> None:
    plan = await begun(world)

    both = [doomed.start(world.runtime.database, "never", 0, "resume", plan.id) for _ in range(2)]
    ended = [doomed.end_of(one) for one in both]
    done = await carried_out(world, plan)

    assert 0 in ended
    assert KILLED not in ended
    assert done.state is State.VERIFIED
    assert len(world.upstream.store.effects()) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_step_whose_answer_was_lost_is_settled_by_its_condition_and_then_the_plan_goes_on(world: World) -> None:
    plan = await begun(world, [PUT, RENAME, changed(COUNT, quantity=5)])
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PATCH")

    done = await carried_out(world, plan)

    assert done.state is State.VERIFIED, (done.state, done.error_message)
    assert items(world) == {1: ("retired", 10), 40: ("ruler", 5)}
    assert len(world.upstream.store.effects()) == 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_step_that_needs_an_answer_that_was_lost_for_good_is_not_called(world: World) -> None:
    plan = await begun(world)
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PATCH")

    undone = await carried_out(world, plan)

    assert undone.state is State.UNDONE
    assert "the step 'rename' answered nothing at /quantity" in (undone.error_message or "")
    assert items(world) == {1: ("pencil", 10)}
