"""What calls itself a step of a plan: each guard in turn, against a call that keeps all the others."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from world import World

from hub.budgets import lift_limit
from hub.dryrun import PlanPreview, would_change_the_same
from hub.dryrun.tables import PreviewRow
from hub.invocations.invoke import invoke
from hub.invocations.queries import cancel
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Call, Invocation, Part
from hub.storage import now
from plans.errand import (
    approved,
    caller_of,
    calls_of,
    carried_out,
    halfway,
    held_back,
    items,
    offer,
    proposed,
    seen,
    settle,
    switch,
    undone_by_hand,
)

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

RIGHT: Mapping[str, Any] = {"id": 1, "name": "retired"}
"""What the plan declares for its second step."""


async def second_step(world: World, plan: Invocation) -> Invocation:
    """Return what becomes of the second step, called exactly as the plan declares it."""
    call = Call(
        caller=caller_of(world),
        server="everything",
        tool="item_update",
        arguments=dict(RIGHT),
        trace_id="trace",
        part=Part(plan_id=plan.id, step=2),
    )
    await switch(world, "item_update", on=False)
    return await invoke(call, world.runtime)


async def write(world: World, plan: Invocation, **values: Any) -> None:  # noqa: ANN401  # a column's value
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).where(InvocationRow.id == plan.id).values(values))


def as_of_plan(world: World, plan: Invocation, done: Invocation) -> Undo:
    """Return the undo of a plan's first step, as if the plan had asked for it."""
    part = Part(plan_id=plan.id, step=1)
    return Undo(caller=caller_of(world), invocation_id=done.id, reason="so", trace_id="trace", part=part)


async def test_a_step_as_declared_in_its_turn_is_carried_out(world: World) -> None:
    assert (await second_step(world, await halfway(world))).state is State.VERIFIED


async def test_a_step_of_a_plan_whose_time_is_over_is_refused(world: World) -> None:
    plan = await halfway(world)
    async with world.runtime.database.reading() as tx:
        late = await now(tx) - timedelta(milliseconds=1)
    await write(world, plan, deadline=late)

    refused = await second_step(world, plan)

    assert refused.error_message == "the approval of its plan has expired"


async def test_a_step_of_a_plan_that_is_taken_back_is_refused(world: World) -> None:
    plan = await halfway(world)
    await cancel(world.runtime, world.caller, plan.id, reason="no")

    refused = await second_step(world, plan)

    assert refused.error_message == "its plan is being taken back"


async def test_a_step_of_a_plan_whose_preview_was_exchanged_is_refused(world: World) -> None:
    plan = await halfway(world)
    async with world.runtime.database.transaction() as tx:
        (row,) = await tx.scalars(select(PreviewRow).where(PreviewRow.invocation_id == plan.id))
        steps = [dict(step) for step in row.body["steps"]]
        steps[1]["intent_digest"] = "0" * 64
        row.body = {**row.body, "steps": steps}

    refused = await second_step(world, plan)

    assert refused.error_message == "the plan on record is not the one that was approved"


async def test_an_undo_of_a_plan_that_goes_forwards_is_not_approved_by_it(world: World) -> None:
    plan = await halfway(world)
    (put,) = await calls_of(world, plan)

    refused = await undo(as_of_plan(world, plan, put), world.runtime)

    assert refused.error_message == "its plan is not being taken back"
    assert 40 in items(world)


async def test_a_step_is_not_taken_back_while_a_later_one_stands(world: World) -> None:
    plan = await halfway(world)
    await second_step(world, plan)
    await cancel(world.runtime, world.caller, plan.id, reason="no")
    put, _ = await calls_of(world, plan)

    refused = await undo(as_of_plan(world, plan, put), world.runtime)

    assert refused.error_message == "a later step of its plan still stands"


async def test_a_step_is_not_taken_back_while_a_later_one_stands_whose_undo_was_undone(world: World) -> None:
    plan = await halfway(world)
    renamed = await second_step(world, plan)
    await undone_by_hand(world, await undone_by_hand(world, renamed))
    await cancel(world.runtime, world.caller, plan.id, reason="no")
    put, _ = await calls_of(world, plan)

    refused = await undo(as_of_plan(world, plan, put), world.runtime)

    assert refused.error_message == "a later step of its plan still stands"


async def test_a_limit_holds_a_step_back_and_then_the_plan_goes_on(world: World) -> None:
    plan, limit = await held_back(world)
    async with world.runtime.database.transaction() as tx:
        await lift_limit(tx, limit, world.runtime.authority)

    assert (await carried_out(world, plan)).state is State.VERIFIED


async def test_a_step_that_waits_for_a_limit_is_called_off_with_its_plan(world: World) -> None:
    plan, limit = await held_back(world)
    await cancel(world.runtime, world.caller, plan.id, reason="no")
    async with world.runtime.database.transaction() as tx:
        await lift_limit(tx, limit, world.runtime.authority)

    undone = await carried_out(world, plan)

    assert undone.state is State.UNDONE, undone.error_message
    assert (await calls_of(world, plan))[2].state is State.CANCELLED


async def test_a_step_whose_approval_is_of_another_plan_is_not_sent(world: World) -> None:
    plan, limit = await held_back(world)
    await write(world, plan, approval_digest="0" * 64)
    async with world.runtime.database.transaction() as tx:
        await lift_limit(tx, limit, world.runtime.authority)

    last = (await calls_of(world, plan))[-1]
    stale = await resume(last.id, world.runtime)

    assert stale.state is State.STALE
    assert stale.error_message == "the approval on record is for something else"
    assert items(world)[40] == ("ruler", 3)


async def test_a_plan_of_which_policy_asks_more_before_it_begins_is_asked_about_again(world: World) -> None:
    await offer(world)
    plan = await approved(world)
    await world.decide_by(
        '@id("by-controllers") @require("controllers:1") @ttl("PT1H") @why("Controllers rename.")'
        ' forbid (principal, action == Action::"autocommit", resource in ToolClass::"upstream.item_update");'
    )

    await settle(world)

    again = await seen(world, plan)
    assert (again.state, again.revision) == (State.AWAITING_APPROVAL, 2)
    assert again.question is not None
    assert {one.group for one in again.question.obligations} == {"approvers", "controllers"}
    assert await calls_of(world, plan) == []


async def test_votes_are_not_carried_over_to_a_plan_of_other_steps(world: World) -> None:
    await offer(world)
    record = (await proposed(world)).preview
    assert record is not None
    assert isinstance(record.preview, PlanPreview)
    first, *rest = record.preview.steps
    other = record.preview.model_copy(update={"steps": (first.model_copy(update={"intent_digest": "0" * 64}), *rest)})

    assert would_change_the_same(record.preview, record.preview)
    assert not would_change_the_same(record.preview, other)


async def test_a_kill_switch_on_the_tool_of_a_step_keeps_the_plan_from_beginning(world: World) -> None:
    await offer(world)
    plan = await approved(world)
    await switch(world, "item_update", on=True)

    await settle(world, rounds=2)

    waiting = await seen(world, plan)
    assert (waiting.state, waiting.error_code) == (State.APPROVED, "stopped")
    assert await calls_of(world, plan) == []
    assert await begun_after(world, plan) is State.VERIFIED


async def begun_after(world: World, plan: Invocation) -> State:
    await switch(world, "item_update", on=False)
    return (await carried_out(world, plan)).state
