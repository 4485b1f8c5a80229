"""What a plan's approval stands for: exactly its steps, as they were shown, while everything still holds."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from telling import kept_privately, told_openly
from upstream.composites import COUNT, PUT, RENAME, TELL, changed
from upstream.connector import connector
from world import PASSWORD, World

from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.core.errors import Conflict, Forbidden, ScopeMissing
from hub.dryrun import PlanPreview, preview_digest
from hub.identity.accounts import NewUser, create_user, set_groups
from hub.identity.principals import Role
from hub.invocations.break_glass import Breaking, break_glass
from hub.invocations.invoke import invoke
from hub.invocations.plan_steps import planned_steps
from hub.invocations.replay import replay
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Call, Part
from hub.registry import ConnectionChange, change_connection, register_connector
from hub.storage import now
from plans.errand import (
    approved,
    begun,
    caller_of,
    calls_of,
    carried_out,
    halfway,
    items,
    offer,
    proposed,
    seen,
    settle,
    switch,
)

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def test_the_plan_shows_what_each_step_waits_for_and_is_as_sure_as_its_least_sure_step(world: World) -> None:
    await offer(world)

    plan = await proposed(world)

    put, rename, count = planned_steps(plan)
    assert plan.preview is not None
    assert plan.preview.preview.fidelity.value == "contract"
    assert (put.preview.fidelity.value, rename.preview.fidelity.value) == ("simulated", "simulated")
    assert (put.waits_for, rename.waits_for) == ({}, {})
    assert count.waits_for == {"id": "put", "quantity": "rename"}
    assert "step 3, count: id is known after the step put" in plan.preview.preview.not_covered
    assert [change.target for change in plan.preview.preview.changes][:2] == ["put: items/40", "rename: items/1"]
    assert plan.question is not None
    shown = plan.question.summary["steps"]
    assert [step["intent_digest"] for step in shown] == [step.intent_digest for step in planned_steps(plan)]


async def test_the_digest_covers_the_steps_in_their_order(world: World) -> None:
    await offer(world)
    preview = (await proposed(world)).preview
    assert preview is not None
    assert isinstance(preview.preview, PlanPreview)
    first, second, third = preview.preview.steps

    swapped = preview.preview.model_copy(update={"steps": (second, first, third)})
    other = first.model_copy(update={"intent_digest": "0" * 64})
    exchanged = preview.preview.model_copy(update={"steps": (other, second, third)})

    assert len({preview.digest, preview_digest(swapped), preview_digest(exchanged)}) == 3


async def test_an_agent_without_the_scope_of_a_step_may_not_call_the_plan(world: World) -> None:
    await offer(world)
    caller = replace(world.caller, scopes=frozenset({"composite_dev:write", "upstream:read"}))

    with pytest.raises(ScopeMissing, match="upstream:write"):
        await world.call("restock", {"id": 40, "name": "ruler"}, caller=caller)


async def test_a_step_that_policy_forbids_ends_the_plan_before_anything_is_sent(world: World) -> None:
    forbid = (
        '@id("no-notes") @why("Nobody posts notes.")'
        ' forbid (principal, action == Action::"propose", resource in ToolClass::"upstream.note_post");'
    )
    await world.decide_by(forbid)
    await offer(world, [PUT, TELL])

    denied = await proposed(world)

    assert denied.state is State.DENIED
    assert "Nobody posts notes." in (denied.error_message or "")
    assert world.upstream.store.effects() == []


BY_CONTROLLERS = (
    '@id("counts-by-controllers") @require("controllers:1") @ttl("PT1H") @why("Controllers count.")'
    ' forbid (principal, action == Action::"autocommit", resource in ToolClass::"upstream.item_put");'
)


async def test_everything_that_policy_asks_of_any_step_is_asked_of_the_plan(world: World) -> None:
    await world.decide_by(BY_CONTROLLERS)
    await offer(world)

    asked = await proposed(world)
    assert asked.question is not None
    assert {one.group for one in asked.question.obligations} == {"approvers", "controllers"}
    half = await world.vote(asked, world.ann)
    assert half.state is State.AWAITING_APPROVAL
    await world.vote(half, world.carl)

    assert (await carried_out(world, asked)).state is State.VERIFIED


async def test_who_may_not_approve_a_step_may_not_approve_the_plan(world: World) -> None:
    await world.decide_by(
        '@id("not-by-ann") @why("Not by approvers.") forbid (principal in Group::"approvers",'
        ' action == Action::"approve", resource in ToolClass::"upstream.item_put");'
    )
    await offer(world)
    asked = await proposed(world)

    with pytest.raises(Forbidden, match=r"Not by approvers\."):
        await world.vote(asked, world.ann)


async def test_every_decision_on_a_step_is_on_record_and_comes_out_the_same(world: World) -> None:
    await offer(world)
    plan = await approved(world)
    await carried_out(world, plan)

    async with world.runtime.database.reading() as tx:
        decided = [one for one in await events_of(tx, plan.id) if one.kind is EventKind.PLAN_STEP_DECIDED]
        since = await now(tx) - timedelta(days=1)
    found = await replay(world.runtime.database, world.runtime.keys, since)

    assert [event.facts["step"] for event in decided] == [1, 2, 3]
    assert found.decisions == found.same
    assert found.unreadable == 0


async def test_a_call_that_claims_to_be_a_step_and_is_not_as_declared_is_refused(world: World) -> None:
    plan = await halfway(world)
    await switch(world, "item_update", on=False)
    forged = Call(
        caller=caller_of(world),
        server="everything",
        tool="item_update",
        arguments={"id": 1, "name": "mine"},
        trace_id="trace",
        part=Part(plan_id=plan.id, step=2),
    )

    refused = await invoke(forged, world.runtime)

    assert refused.state is State.DENIED
    assert refused.error_code == "not_as_planned"
    assert "its arguments are not those that the plan declares" in (refused.error_message or "")
    assert items(world)[1] == ("pencil", 10)


async def test_a_step_out_of_turn_or_of_a_plan_that_is_not_under_way_is_refused(world: World) -> None:
    await offer(world)
    waiting = await approved(world)
    step = Call(
        caller=caller_of(world),
        server="everything",
        tool="item_put",
        arguments={"id": 40, "name": "ruler", "quantity": 3},
        trace_id="trace",
        part=Part(plan_id=waiting.id, step=1),
    )

    refused = await invoke(step, world.runtime)

    assert refused.error_code == "not_as_planned"
    assert "its plan is not being carried out" in (refused.error_message or "")
    assert world.upstream.store.effects() == []


async def change_record(world: World) -> None:
    world.edit_by_hand(1, quantity=77)


async def change_tool(world: World) -> None:
    operations = tuple(
        one.model_copy(update={"title": "Another title"}) if one.name == "item_update" else one
        for one in connector.spec.operations
    )
    spec = connector.spec.model_copy(update={"operations": operations, "version": "1.0.1"})
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, spec, world.runtime.authority)


async def take_role(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)


async def tighten_policy(world: World) -> None:
    await world.decide_by(BY_CONTROLLERS.replace("item_put", "item_update"))


async def forbid_commit(world: World) -> None:
    await world.decide_by(
        '@id("closed") @why("Closed.") forbid (principal, action == Action::"commit",'
        ' resource in ToolClass::"upstream.item_update");'
    )


async def run_out(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        late = await now(tx) - timedelta(milliseconds=1)
        of_plan = update(InvocationRow).where(InvocationRow.tool_name == "restock", InvocationRow.state == "SENT")
        await tx.execute(of_plan.values(deadline=late))


CHANGES: dict[str, tuple[Callable[[World], Awaitable[None]], str]] = {
    "its record was changed by somebody else": (change_record, "quantity is not what it was"),
    "who approved it left": (take_role, "somebody who approved it may no longer do so"),
    "policy asks for more": (tighten_policy, "policy asks more of it than those who approved the plan gave"),
    "policy lets nobody commit it": (forbid_commit, "policy no longer allows it"),
    "the time ran out": (run_out, "the approval ran out before step 2, rename"),
}


@pytest.mark.parametrize("what", sorted(CHANGES))
async def test_a_plan_stops_before_a_step_for_which_its_approval_no_longer_stands(world: World, what: str) -> None:
    change, why = CHANGES[what]
    plan = await halfway(world)
    await change(world)
    before = items(world)[1]
    await switch(world, "item_update", on=False)

    stopped = await carried_out(world, plan)

    assert stopped.state is State.UNDONE, (stopped.state, stopped.error_message)
    told = "".join([stopped.error_message or "", *[call.error_message or "" for call in await calls_of(world, plan)]])
    assert why in told.lower()
    assert items(world) == {1: before}


async def test_what_somebody_else_wrote_and_stopped_a_plan_stands_openly_in_no_event(world: World) -> None:
    plan = await halfway(world)
    world.upstream.store.rows("UPDATE item SET name = 'Quillfeather', version = version + 1 WHERE id = 1")
    await switch(world, "item_update", on=False)

    await carried_out(world, plan)

    assert await told_openly(world, "Quillfeather") == []
    assert await kept_privately(world, "Quillfeather") == ["invocation.previewed"]  # sentences name the field alone


async def test_a_step_whose_tool_changed_midway_is_not_carried_out(world: World) -> None:
    plan = await halfway(world)
    await change_tool(world)
    await switch(world, "item_update", on=False)

    stopped = await carried_out(world, plan)

    assert stopped.state is State.UNDONE, stopped.error_message
    assert "the tool has another version than the plan showed" in (stopped.error_message or "")
    assert items(world) == {1: ("pencil", 10)}


async def test_after_a_connection_was_changed_midway_nothing_is_sent_through_it_not_even_an_undo(world: World) -> None:
    plan = await halfway(world)
    async with world.runtime.database.transaction() as tx:
        changed_url = ConnectionChange(settings={"a": 1})
        await change_connection(tx, world.connection_id, changed_url, world.runtime.authority)
    await switch(world, "item_update", on=False)

    partial = await carried_out(world, plan)

    assert partial.state is State.PARTIAL
    assert "the connection has been changed since the plan was shown" in (partial.error_message or "")
    assert items(world) == {1: ("pencil", 10), 40: ("ruler", 3)}


async def test_a_plan_whose_tools_changed_before_it_began_is_not_begun(world: World) -> None:
    await offer(world)
    plan = await approved(world)
    await change_tool(world)

    await settle(world)

    failed = await seen(world, plan)
    assert failed.state is State.PREVIEW_FAILED
    assert "its owner declares it again" in (failed.error_message or "")
    assert world.upstream.store.effects() == []


async def test_a_plan_whose_record_changed_before_it_began_is_asked_about_again(world: World) -> None:
    await offer(world)
    plan = await approved(world)
    world.edit_by_hand(1, quantity=77)

    await settle(world)

    again = await seen(world, plan)
    assert (again.state, again.revision) == (State.AWAITING_APPROVAL, 2)
    assert world.upstream.store.effects() == []


async def test_two_steps_on_one_record_are_told_from_somebody_elses_change(world: World) -> None:
    twice = {**changed(RENAME, name="very retired"), "name": "twice"}
    await offer(world, [RENAME, twice])

    done = await carried_out(world, await approved(world))

    assert done.state is State.VERIFIED, done.error_message
    assert items(world)[1] == ("very retired", 10)


async def test_a_step_that_its_system_refuses_as_things_stand_is_told_and_tried_in_its_turn(world: World) -> None:
    early = changed(COUNT, id={"$from": "/input/id"}, quantity=5)
    await offer(world, [PUT, early])

    asked = await proposed(world)
    assert asked.preview is not None
    assert "before the steps ahead of it are done" in " ".join(asked.preview.preview.not_covered)
    await world.vote(asked, world.ann)

    assert (await carried_out(world, asked)).state is State.VERIFIED
    assert items(world)[40] == ("ruler", 5)


async def test_the_same_call_joins_the_plan_that_is_under_way(world: World) -> None:
    plan = await begun(world)

    again = await proposed(world)
    await carried_out(world, plan)

    assert (again.id, again.repeats) == (plan.id, True)
    assert len(world.upstream.store.effects()) == 3


async def test_nobody_breaks_the_glass_for_a_plan(world: World) -> None:
    await offer(world)
    asked = await proposed(world)
    assert asked.question is not None
    async with world.runtime.database.transaction() as tx:
        new = NewUser(name="otto", display_name="Otto", password=PASSWORD, roles=frozenset({Role.OPERATOR}))
        otto = await create_user(tx, new, world.runtime.authority)
    breaking = Breaking(
        invocation_id=asked.id,
        digest=asked.question.digest,
        breaker=otto,
        authenticated_at=datetime.now(UTC),
        reason="It cannot wait.",
    )

    with pytest.raises(Conflict, match="A plan of several steps"):
        await break_glass(breaking, world.runtime)


async def test_a_rejected_plan_changes_nothing(world: World) -> None:
    await offer(world)
    asked = await proposed(world)

    await world.vote(asked, world.ann, Choice.REJECT)
    await settle(world)

    assert (await seen(world, asked)).state is State.REJECTED
    assert await calls_of(world, asked) == []
    assert world.upstream.store.effects() == []
