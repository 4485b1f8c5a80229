"""Reads as steps of plans: made for the preview, shown and agreed to, made again before the plan begins."""

from dataclasses import replace
from typing import Any

import pytest
from upstream.composites import COPY, LOOK, RENAME, changed
from upstream.faults import Fault
from world import World

from hub.audit import EventKind, events_of
from hub.budgets import Measure, NewLimit, Per, set_limit
from hub.core.errors import ScopeMissing
from hub.dryrun import PlannedStep, PlanPreview
from hub.invocations.journal import load
from hub.invocations.plan_steps import steps_alone
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import find_tool
from plans.errand import (
    approved,
    caller_of,
    calls_of,
    carried_out,
    items,
    offer,
    proposed,
    seen,
    settle,
    statuses,
    switch,
)

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

NO_LOOKING = """@id("no-looking") @why("Nobody looks.")
forbid (principal, action == Action::"propose", resource in ToolClass::"upstream.item_get");
"""
NAMED = changed(COPY, name={"$from": "/steps/look/name"})


def steps_in(plan: Invocation) -> tuple[PlannedStep, ...]:
    assert plan.preview is not None, plan.error_message
    assert isinstance(plan.preview.preview, PlanPreview)
    return plan.preview.preview.steps


async def reads_of(world: World, plan: Invocation) -> list[Invocation]:
    """Return the calls that its reads have made, oldest first."""
    mine = [one for one in await calls_of(world, plan) if one.tool_name == "item_get"]
    assert {one.part.step for one in mine if one.part} == {1}
    return mine


async def test_what_a_plan_reads_is_shown_and_agreed_to_and_flows_into_its_writes(world: World) -> None:
    await offer(world, [LOOK, COPY, RENAME])

    asked = await proposed(world)

    look, copy, _ = steps_in(asked)
    assert (look.answer, look.preview.changes, copy.waits_for) == ({"quantity": 10}, (), {})
    assert copy.arguments == {"id": 40, "name": "ruler", "quantity": 10}
    assert asked.question is not None
    assert asked.question.summary["steps"][0]["answer"] == {"quantity": 10}
    assert [one.state for one in await reads_of(world, asked)] == [State.SUCCEEDED]
    await world.vote(asked, world.ann)
    done = await carried_out(world, asked)
    assert done.state is State.VERIFIED, done.error_message
    assert items(world) == {1: ("retired", 10), 40: ("ruler", 10)}
    assert [*done.output] == ["copy", "rename"]
    assert await statuses(world, asked) == ["done", "done"]
    assert [one.state for one in await reads_of(world, asked)] == [State.SUCCEEDED] * 2


async def test_a_value_that_later_steps_use_and_that_changed_since_makes_the_plan_stale(world: World) -> None:
    await offer(world, [LOOK, COPY])
    plan = await approved(world)
    world.edit_by_hand(1, quantity=7)

    stale = await resume(plan.id, world.runtime)

    assert stale.state is State.STALE
    assert "step 1, look: what it read, and later steps use, is not what it was" in (stale.error_message or "")
    await settle(world)
    again = await seen(world, plan)
    assert (again.state, again.revision) == (State.AWAITING_APPROVAL, 2)
    assert steps_in(again)[0].answer == {"quantity": 7}
    assert 40 not in items(world)


async def test_a_value_that_no_step_uses_may_change_and_the_plan_goes_on(world: World) -> None:
    await offer(world, [LOOK, COPY])
    plan = await approved(world)
    world.upstream.store.rows("UPDATE item SET name = 'crayon', version = version + 1 WHERE id = 1")

    done = await carried_out(world, plan)

    assert done.state is State.VERIFIED, done.error_message
    assert items(world)[40] == ("ruler", 10)


async def test_what_was_agreed_to_is_written_whatever_is_read_after_the_plan_has_begun(world: World) -> None:
    await offer(world, [LOOK, COPY])
    plan = await resume((await approved(world)).id, world.runtime)
    assert plan.state is State.SENT, plan.error_message
    world.edit_by_hand(1, quantity=7)
    await world.call("item_get", {"id": 1})

    await carried_out(world, plan)

    assert items(world)[40] == ("ruler", 10)


async def test_a_read_that_policy_refuses_ends_the_plan_before_anybody_is_asked(world: World) -> None:
    await offer(world, [LOOK, COPY])
    await world.decide_by(NO_LOOKING)

    refused = await proposed(world)

    assert (refused.state, refused.error_code) == (State.PREVIEW_FAILED, "denied_by_policy")
    assert refused.error_message == "Step 1, look: Nobody looks."
    assert [one.state for one in await reads_of(world, refused)] == [State.DENIED]


async def test_a_read_that_policy_refuses_by_now_keeps_an_approved_plan_from_beginning(world: World) -> None:
    await offer(world, [LOOK, COPY])
    plan = await approved(world)
    await world.decide_by(NO_LOOKING)

    await settle(world)

    ended = await seen(world, plan)
    assert (ended.state, ended.error_code) == (State.PREVIEW_FAILED, "denied_by_policy")
    assert 40 not in items(world)


async def test_an_agent_without_the_scope_of_a_read_may_not_call_the_plan(world: World) -> None:
    await offer(world, [LOOK, COPY])
    caller = replace(caller_of(world), scopes=frozenset({"composite_dev:write", "upstream:write"}))

    with pytest.raises(ScopeMissing, match="upstream:read"):
        await world.call("restock", {"id": 40, "name": "ruler"}, caller=caller)


async def test_a_read_that_fails_ends_the_plan_and_says_which_step(world: World) -> None:
    await offer(world, [LOOK, COPY])

    failed = await proposed(world, old=99)

    assert (failed.state, failed.error_code) == (State.PREVIEW_FAILED, "upstream_not_found")
    assert (failed.error_message or "").startswith("Step 1, look: ")


FIND: dict[str, Any] = {**LOOK, "tool": "item_find", "arguments": {"name": {"$from": "/input/name"}}}
FOUND = {**RENAME, "arguments": {"id": {"$from": "/steps/look/items/0/id"}, "name": "retired"}}


async def test_a_plan_that_finds_nothing_where_a_step_needs_it_is_not_asked_about(world: World) -> None:
    await offer(world, [FIND, FOUND])

    failed = await proposed(world, name="zebra")
    found = await proposed(world, name="penc")

    assert (failed.state, failed.error_code) == (State.PREVIEW_FAILED, "nothing_there")
    assert failed.error_message == ("Step 2, rename, cannot be taken: the step 'look' answered nothing at /items/0/id")
    assert steps_in(found)[0].answer == {"items": [{"id": 1}]}
    assert steps_in(found)[1].arguments == {"id": 1, "name": "retired"}


async def test_a_read_may_use_what_another_has_read(world: World) -> None:
    second = {**LOOK, "name": "again", "arguments": {"id": {"$from": "/steps/look/items/0/id"}}}
    await offer(world, [FIND, second, changed(COPY, quantity={"$from": "/steps/again/quantity"})])

    asked = await proposed(world, name="pencil")

    assert steps_in(asked)[2].arguments["quantity"] == 10
    assert steps_in(asked)[1].brings == {"/id": "look"}


async def test_a_system_that_does_not_answer_a_read_just_now_keeps_the_approval(world: World) -> None:
    await offer(world, [LOOK, COPY])
    plan = await approved(world)
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, method="GET", times=2)

    waiting = await resume(plan.id, world.runtime)

    assert waiting.state is State.APPROVED, waiting.error_message
    assert (await carried_out(world, plan)).state is State.VERIFIED


async def test_a_kill_switch_on_the_tool_of_a_read_holds_the_plan_back(world: World) -> None:
    await offer(world, [LOOK, COPY])
    plan = await approved(world)
    await switch(world, "item_get", on=True)

    await settle(world, rounds=2)

    waiting = await seen(world, plan)
    assert (waiting.state, waiting.error_code) == (State.APPROVED, "stopped")
    await switch(world, "item_get", on=False)
    assert (await carried_out(world, plan)).state is State.VERIFIED


async def test_a_read_takes_of_limits_what_a_call_takes(world: World) -> None:
    await offer(world, [LOOK, COPY])
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        new = NewLimit(per=Per.TOOL, subject=tool.id, measure=Measure.CALLS, amount=1, seconds=86_400)
        await set_limit(tx, new, world.runtime.authority)

    plan = await approved(world)
    waiting = await resume(plan.id, world.runtime)

    assert waiting.state is State.APPROVED
    assert [one.error_code for one in await reads_of(world, plan)] == [None, "over_budget"]


async def test_what_flows_from_a_read_has_the_provenance_of_that_read(world: World) -> None:
    await offer(world, [LOOK, NAMED])
    caller = caller_of(world)

    plan = await world.call("restock", {"id": 40, "name": "ruler"}, caller=caller, run="run-1")

    async with world.runtime.database.reading() as tx:
        (alone,) = await steps_alone(tx, await load(tx, plan.id))
        decided = [one for one in await events_of(tx, plan.id) if one.kind is EventKind.PLAN_STEP_DECIDED]
    flow = {"argument": "/name", "origin": "result", "tool": "upstream.item_get", "is_trusted": False}
    assert [one for one in alone.call.provenance if one["argument"] == "/name"][-1].items() >= flow.items()
    assert len(decided) == 1
    await world.vote(plan, world.ann)
    await carried_out(world, plan)
    (copied,) = [one for one in await calls_of(world, plan) if one.tool_name == "item_put"]
    traced = {one["argument"]: one for one in copied.provenance}
    assert traced["/name"].items() >= flow.items()
    assert traced["/quantity"]["tool"] == "upstream.item_get"
