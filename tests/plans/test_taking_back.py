"""When a step fails: the steps before it are taken back in reverse, and what stands is told, never hidden."""

from typing import Any

import pytest
from upstream.composites import PUT, RENAME, TELL, changed
from upstream.faults import Fault
from world import PASSWORD, World

from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.identity.accounts import NewUser, create_user, set_groups
from hub.identity.principals import Caller, Principal, Role
from hub.invocations import commit
from hub.invocations.envelope import Status, envelope, outward
from hub.invocations.queries import cancel
from hub.invocations.recheck import Changed, Holds, NotNow, recheck
from hub.invocations.resolve import Resolution, resolve
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import ApprovedBy, Invocation
from plans.errand import (
    approved,
    begun,
    calls_of,
    carried_out,
    halfway,
    items,
    offer,
    proposed,
    seen,
    settle,
    statuses,
    switch,
    undone_by_hand,
)

pytestmark = pytest.mark.anyio
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

AGAIN: dict[str, Any] = {**changed(PUT, id={"$from": "/input/old"}), "name": "again"}
"""A step that puts an item under a number that is taken: its system refuses it when it is sent, and not before."""


def told(plan: Invocation) -> Any:  # noqa: ANN401  # what an agent reads
    return envelope(plan, public_url="https://hub.example")


async def test_what_was_done_is_taken_back_in_reverse_and_read_back(world: World) -> None:
    await offer(world, [PUT, RENAME, AGAIN])
    before = items(world)

    undone = await carried_out(world, await approved(world))

    assert undone.state is State.UNDONE, undone.error_message
    assert items(world) == before
    assert await statuses(world, undone) == ["taken_back", "taken_back", "not_done"]
    calls = await calls_of(world, undone)
    undos = [call for call in calls if call.undoes is not None]
    assert [call.undoes for call in undos] == [calls[1].id, calls[0].id]
    assert {call.approved_by for call in undos} == {ApprovedBy.PLAN}
    assert undone.error_message is not None
    assert undone.error_message.endswith("Step 2, rename, was taken back. Step 1, put, was taken back.")
    assert told(undone).is_error
    assert "taken back" in told(undone).text
    assert "nothing was changed" not in told(undone).text
    async with world.runtime.database.reading() as tx:
        kinds = [event.kind for event in await events_of(tx, undone.id)]
    assert EventKind.PLAN_STOPPED in kinds
    assert kinds[-1] is EventKind.PLAN_UNDONE


@ONE_ENGINE
async def test_a_plan_whose_first_step_fails_has_changed_nothing_and_says_so(world: World) -> None:
    await offer(world, [{**AGAIN, "name": "put"}, RENAME])
    before = items(world)

    failed = await carried_out(world, await approved(world))

    assert failed.state is State.FAILED
    assert items(world) == before
    assert "It failed; nothing was changed." in told(failed).text


@ONE_ENGINE
async def test_what_somebody_else_has_changed_since_stands_and_so_does_what_was_done_before_it(world: World) -> None:
    plan = await begun(world, [PUT, RENAME, TELL])
    await switch(world, "note_post", on=True)
    await settle(world, rounds=2)
    world.edit_by_hand(1, quantity=7)
    await cancel(world.runtime, world.caller, plan.id, reason="not today")

    partial = await carried_out(world, plan)

    assert partial.state is State.PARTIAL, partial.error_message
    assert items(world) == {1: ("retired", 7), 40: ("ruler", 3)}
    assert await statuses(world, partial) == ["stands", "stands", "ahead"]
    said = told(partial)
    assert (said.status, said.is_error) == (Status.PARTIAL, True)
    assert "a part of it stands" in said.text
    assert "Step 2, rename, stands, because it could not be taken back" in said.text
    assert "Step 1, put, stands" in said.text
    assert [step["status"] for step in said.structured["steps"]] == ["stands", "stands", "ahead"]
    assert not said.structured["retryable"]
    await switch(world, "note_post", on=False)
    effects = len(world.upstream.store.effects())
    again = await proposed(world)  # an agent that tries again does not do it twice
    assert (again.id, again.repeats) == (plan.id, True)
    assert len(world.upstream.store.effects()) == effects


@ONE_ENGINE
async def test_a_step_that_cannot_be_taken_back_keeps_what_stands_a_beginning_of_the_plan(world: World) -> None:
    await offer(world, [PUT, TELL, AGAIN])

    partial = await carried_out(world, await approved(world))

    assert partial.state is State.PARTIAL
    assert await statuses(world, partial) == ["stands", "stands", "not_done"]
    assert "Its tool declares nothing that would undo it." in (partial.error_message or "")
    assert [call.undoes for call in await calls_of(world, partial)] == [None, None, None]
    assert 40 in items(world)


async def renamed(world: World) -> Invocation:
    """Return a plan that has renamed the pencil, and goes no further for now."""
    plan = await begun(world, [RENAME, PUT])
    await switch(world, "item_put", on=True)
    await settle(world, rounds=2)
    assert items(world) == {1: ("retired", 10)}
    return plan


@ONE_ENGINE
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_whether_a_step_stands_is_told_by_the_last_of_the_undos_that_undo_each_other(
    world: World, times: int
) -> None:
    plan = await renamed(world)
    (last,) = await calls_of(world, plan)
    for _ in range(times):
        last = await undone_by_hand(world, last)
    await cancel(world.runtime, world.caller, plan.id, reason="not today")

    ended = await carried_out(world, plan)

    if items(world) == {1: ("pencil", 10)}:
        assert ended.state is State.UNDONE, ended.error_message
        assert await statuses(world, plan) == ["taken_back", "ahead"]
    else:
        assert items(world) == {1: ("retired", 10)}
        assert ended.state is State.PARTIAL, ended.error_message
        assert await statuses(world, plan) == ["stands", "ahead"]
        assert "Step 1, rename, stands, because its undo was undone in turn." in told(ended).text


@ONE_ENGINE
async def test_a_plan_whose_step_somebody_takes_back_goes_no_further_and_is_never_called_done(world: World) -> None:
    plan = await renamed(world)
    await undone_by_hand(world, (await calls_of(world, plan))[0])
    await switch(world, "item_put", on=False)

    ended = await carried_out(world, plan)

    assert ended.state is State.UNDONE, ended.error_message
    assert "was taken back by a call of its own" in (ended.error_message or "")
    assert await statuses(world, plan) == ["taken_back", "ahead"]
    assert items(world) == {1: ("pencil", 10)}


@ONE_ENGINE
async def test_a_step_whose_undo_left_other_records_than_there_were_stands(world: World) -> None:
    plan = await renamed(world)
    await cancel(world.runtime, world.caller, plan.id, reason="not today")
    world.upstream.store.rows(
        "CREATE TRIGGER also AFTER UPDATE OF name ON item BEGIN UPDATE item SET quantity = 7 WHERE id = new.id; END"
    )

    ended = await carried_out(world, plan)

    undo_of_it = (await calls_of(world, plan))[-1]
    assert undo_of_it.state is State.DIVERGED
    assert ended.state is State.PARTIAL, ended.error_message
    assert await statuses(world, plan) == ["stands", "ahead"]
    assert "its undo did not leave the records as they were before" in told(ended).text


@ONE_ENGINE
async def test_a_kill_switch_thrown_midway_holds_the_plan_and_then_it_goes_on(world: World) -> None:
    plan = await halfway(world)

    assert plan.state is State.SENT
    assert "a closer look" in (plan.error_message or "")
    await switch(world, "item_update", on=False)
    done = await carried_out(world, plan)

    assert done.state is State.VERIFIED, done.error_message
    assert len(world.upstream.store.effects()) == 3


async def test_a_plan_called_off_midway_goes_no_further_and_is_taken_back(world: World) -> None:
    plan = await halfway(world)

    stopping = await cancel(world.runtime, world.caller, plan.id, reason="not today")
    assert stopping.state is State.SENT
    undone = await carried_out(world, plan)

    assert undone.state is State.UNDONE, undone.error_message
    assert "It was called off: not today." in (undone.error_message or "")
    assert await statuses(world, plan) == ["taken_back", "ahead", "ahead"]
    assert items(world) == {1: ("pencil", 10)}


async def test_a_step_of_a_plan_that_is_stopped_after_the_last_look_is_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await begun(world)

    async def then_stopped(claimed: Invocation, runtime: Runtime) -> Holds | Changed | NotNow:
        found = await recheck(claimed, runtime)
        await cancel(runtime, world.caller, plan.id, reason="no")
        return found

    monkeypatch.setattr(commit, "recheck", then_stopped)
    ended = await carried_out(world, plan)

    assert world.upstream.store.effects() == []
    assert ended.state is State.FAILED, ended.error_message
    (put,) = await calls_of(world, plan)
    assert (put.state, put.sends) == (State.CANCELLED, 0)


@ONE_ENGINE
async def test_a_plan_that_nobody_has_begun_is_cancelled_as_a_whole(world: World) -> None:
    await offer(world)
    plan = await approved(world)

    cancelled = await cancel(world.runtime, world.caller, plan.id, reason="not today")

    assert cancelled.state is State.CANCELLED
    assert await calls_of(world, plan) == []


async def operator(world: World) -> Principal:
    async with world.runtime.database.transaction() as tx:
        new = NewUser(name="otto", display_name="Otto", password=PASSWORD, roles=frozenset({Role.OPERATOR}))
        return await create_user(tx, new, world.runtime.authority)


async def in_doubt(world: World, steps: list[dict[str, Any]]) -> Invocation:
    """Return a plan of which nobody knows whether its note was posted."""
    await offer(world, steps)
    plan = await approved(world)
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
    await settle(world, rounds=4)
    return await seen(world, plan)


@ONE_ENGINE
@pytest.mark.parametrize("has_happened", [True, False])
async def test_a_step_in_doubt_stops_everything_until_it_is_resolved(world: World, *, has_happened: bool) -> None:
    plan = await in_doubt(world, [PUT, TELL, RENAME])
    waiting = outward(plan).status, await statuses(world, plan), told(plan).text

    note = next(call for call in await calls_of(world, plan) if call.state is State.IN_DOUBT)
    found = Resolution(
        invocation_id=note.id, operator=await operator(world), has_happened=has_happened, reason="I looked."
    )
    await resolve(found, world.runtime)
    ended = await carried_out(world, plan)

    assert plan.error_message == "Step 2, tell, was sent, and its answer was lost."
    assert waiting[:2] == (Status.IN_DOUBT, ["done", "in_doubt", "ahead"])
    assert "everything waits until that is found out" in waiting[2]
    if has_happened:
        assert ended.state is State.UNVERIFIABLE, ended.error_message
        assert await statuses(world, plan) == ["done", "done", "done"]
    else:
        assert ended.state is State.UNDONE, ended.error_message
        assert await statuses(world, plan) == ["taken_back", "not_done", "ahead"]


@ONE_ENGINE
async def test_a_plan_that_waits_for_an_undo_in_doubt_that_people_have_asked_for_names_the_step(world: World) -> None:
    plan = await renamed(world)
    (rename,) = await calls_of(world, plan)
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PATCH")
    wanted = Undo(caller=Caller(actor=world.rita), invocation_id=rename.id, reason="a mistake", trace_id="trace")
    undoing = await undo(wanted, world.runtime)
    world.edit_by_hand(1, quantity=7)  # so that nobody can tell any more whether the undo has arrived
    await settle(world, rounds=3)

    waiting = await seen(world, plan)

    assert (await seen(world, undoing)).state is State.IN_DOUBT
    assert waiting.error_message == "The undo of step 1, rename, was sent, and its answer was lost."


STRICT_UNDO = (
    '@id("undo-by-controllers") @require("controllers:1") @ttl("PT4H") @why("Deleting is for controllers.")'
    ' forbid (principal, action == Action::"autocommit", resource in ToolClass::"upstream.item_delete");'
)


@ONE_ENGINE
@pytest.mark.parametrize("choice", list(Choice))
async def test_an_undo_for_which_policy_asks_more_than_the_plan_had_is_asked_of_people(
    world: World, choice: Choice
) -> None:
    await world.decide_by(STRICT_UNDO)
    await offer(world, [PUT, RENAME, AGAIN])
    plan = await approved(world)
    await settle(world)
    asked = (await calls_of(world, plan))[-1]
    assert asked.state is State.AWAITING_APPROVAL, (asked.state, asked.error_message)
    assert await statuses(world, plan) == ["taking_back", "taken_back", "not_done"]

    await world.vote(asked, world.carl, choice)
    if choice is Choice.APPROVE:
        await world.vote(await seen(world, asked), world.ann)
    ended = await carried_out(world, plan)

    assert ended.state is (State.UNDONE if choice is Choice.APPROVE else State.PARTIAL), ended.error_message


@ONE_ENGINE
async def test_an_undo_that_people_were_asked_about_is_asked_of_them_again_though_policy_asks_no_more(
    world: World,
) -> None:
    await world.decide_by(STRICT_UNDO)
    await offer(world, [PUT, RENAME, AGAIN])
    plan = await approved(world)
    await settle(world)
    asked = (await calls_of(world, plan))[-1]
    for voter in (world.carl, world.ann):
        await world.vote(await seen(world, asked), voter)
    await world.decide_by("")
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.carl.id, frozenset(), world.runtime.authority)  # his vote counts no longer

    await settle(world)
    again = (await calls_of(world, plan))[-1]

    assert again.id == asked.id
    assert (again.state, again.revision) == (State.AWAITING_APPROVAL, asked.revision + 1)


@ONE_ENGINE
async def test_an_undo_of_a_step_is_sent_though_who_approved_the_plan_has_left_since(world: World) -> None:
    plan = await halfway(world, [PUT, RENAME, AGAIN])
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)
    await cancel(world.runtime, world.caller, plan.id, reason="")

    assert (await carried_out(world, plan)).state is State.UNDONE
