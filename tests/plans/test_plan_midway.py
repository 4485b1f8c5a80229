"""What is taken back between two steps of a plan: its own tool, what policy let go, and those who agreed or asked."""

from collections.abc import Awaitable, Callable

import pytest
from upstream.composites import PUT, RENAME, changed
from world import World

from hub.budgets import StopKind, lift_stop, set_stop
from hub.identity.accounts import resume as reinstate
from hub.identity.accounts import suspend
from hub.invocations import commit
from hub.invocations.queries import cancel
from hub.invocations.recheck import Changed, Holds, NotNow, recheck
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import find_tool, quarantine
from plans.errand import (
    begun,
    calls_of,
    carried_out,
    halfway,
    items,
    offer,
    settle,
    statuses,
    switch,
    undone_by_hand,
)

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

Change = Callable[[World], Awaitable[None]]
NOBODY_RESTOCKS = (
    '@id("no-restocking") @why("Nobody restocks.")'
    ' forbid (principal, action == Action::"commit", resource in ToolClass::"composite_dev.restock");'
)
BY_CONTROLLERS = (
    '@id("by-controllers") @require("controllers:1") @ttl("PT1H") @why("Controllers restock.")'
    ' forbid (principal, action == Action::"autocommit", resource in ToolClass::"composite_dev.restock");'
)
NO_NOTES = (
    '@id("no-notes") @why("Nobody posts notes.")'
    ' forbid (principal, action == Action::"commit", resource in ToolClass::"upstream.note_post");'
)
NO_DELETING = (
    '@id("no-deleting") @why("Nothing is deleted.")'
    ' forbid (principal, action == Action::"propose", resource in ToolClass::"upstream.item_delete");'
)


async def its_own_tool(world: World) -> str:
    async with world.runtime.database.reading() as tx:
        tool = await find_tool(tx, "composite_dev", "restock")
    assert tool is not None
    return tool.id


async def quarantine_it(world: World) -> None:
    tool = await its_own_tool(world)
    async with world.runtime.database.transaction() as tx:
        await quarantine(tx, tool, "It orders too much.", world.runtime.authority)


async def switch_it(world: World, *, on: bool) -> None:
    tool, authority = await its_own_tool(world), world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        if on:
            await set_stop(tx, StopKind.TOOL, tool, "a closer look at it", authority)
        else:
            await lift_stop(tx, StopKind.TOOL, tool, authority)


async def suspend_ann(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.ann.id, "She left.", world.runtime.authority)


async def forbid_it(world: World) -> None:
    await world.decide_by(NOBODY_RESTOCKS)


async def ask_more_of_it(world: World) -> None:
    await world.decide_by(BY_CONTROLLERS)


CHANGES: dict[str, tuple[Change, str]] = {
    "its own tool is quarantined": (quarantine_it, "its plan goes no further: the tool is held back"),
    "policy forbids it": (forbid_it, "policy no longer allows its plan"),
    "policy asks for more people": (ask_more_of_it, "policy now asks for more approvals of its plan"),
    "who approved it is suspended": (suspend_ann, "somebody who approved it may no longer do so"),
}


@pytest.mark.parametrize("what", sorted(CHANGES))
async def test_a_plan_goes_no_further_and_is_taken_back_when_midway(world: World, what: str) -> None:
    change, why = CHANGES[what]
    plan = await halfway(world)
    await change(world)
    await switch(world, "item_update", on=False)

    stopped = await carried_out(world, plan)

    assert stopped.state is State.UNDONE, (stopped.state, stopped.error_message)
    assert why in (stopped.error_message or "").lower()
    assert items(world) == {1: ("pencil", 10)}


async def test_a_switch_on_its_own_tool_holds_a_plan_where_it_stands_and_then_it_goes_on(world: World) -> None:
    plan = await halfway(world)
    await switch_it(world, on=True)
    await switch(world, "item_update", on=False)

    held = await carried_out(world, plan)

    assert held.state is State.SENT
    assert "a closer look at it" in (held.error_message or "")
    assert await statuses(world, plan) == ["done", "ahead", "ahead"]
    await switch_it(world, on=False)
    assert (await carried_out(world, plan)).state is State.VERIFIED


async def test_a_switch_on_its_own_tool_holds_its_taking_back_too(world: World) -> None:
    plan = await halfway(world)
    await switch_it(world, on=True)
    await cancel(world.runtime, world.caller, plan.id, reason="no")

    held = await carried_out(world, plan)

    assert held.state is State.SENT
    assert "a closer look at it" in (held.error_message or "")
    assert [call.tool_name for call in await calls_of(world, plan)] == ["item_put"]
    await switch_it(world, on=False)
    assert (await carried_out(world, plan)).state is State.UNDONE


async def closed_after_the_last_look(world: World, monkeypatch: pytest.MonkeyPatch, close: Change) -> Invocation:
    """Return a plan that is closed right after its first step was checked once more."""
    plan = await begun(world)

    async def then_closed(claimed: Invocation, runtime: Runtime) -> Holds | Changed | NotNow:
        found = await recheck(claimed, runtime)
        await close(world)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(commit, "recheck", then_closed)
        await settle(world, rounds=1)
    return plan


async def test_a_step_is_not_sent_when_its_plans_tool_is_quarantined_after_the_last_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await closed_after_the_last_look(world, monkeypatch, quarantine_it)

    ended = await carried_out(world, plan)

    assert world.upstream.store.effects() == []
    assert ended.state is State.FAILED, ended.error_message
    assert "It orders too much." in (ended.error_message or "")


async def test_a_step_is_not_sent_when_its_plans_tool_is_switched_off_after_the_last_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def switch_off(world: World) -> None:
        await switch_it(world, on=True)

    plan = await closed_after_the_last_look(world, monkeypatch, switch_off)
    await settle(world, rounds=2)

    assert world.upstream.store.effects() == []
    (put,) = await calls_of(world, plan)
    assert (put.state, put.error_code) == (State.APPROVED, "stopped")
    await switch_it(world, on=False)
    assert (await carried_out(world, plan)).state is State.VERIFIED


async def test_policy_that_changes_elsewhere_midway_stops_no_plan(world: World) -> None:
    plan = await halfway(world)
    await world.decide_by(NO_NOTES)
    await switch(world, "item_update", on=False)

    assert (await carried_out(world, plan)).state is State.VERIFIED


async def test_another_composite_tool_that_is_declared_midway_stops_no_plan(world: World) -> None:
    plan = await halfway(world)
    await offer(world, [PUT, RENAME], name="another")
    await switch(world, "item_update", on=False)

    assert (await carried_out(world, plan)).state is State.VERIFIED


async def test_a_composite_tool_that_is_declared_anew_midway_stops_no_plan_of_the_old_one(world: World) -> None:
    plan = await halfway(world)
    await offer(world, [PUT, changed(RENAME, name="gone")])
    await switch(world, "item_update", on=False)

    assert (await carried_out(world, plan)).state is State.VERIFIED
    assert items(world)[1] == ("retired", 10)


async def test_an_approver_who_is_back_before_the_next_step_counts_again(world: World) -> None:
    plan = await halfway(world)
    await suspend_ann(world)
    async with world.runtime.database.transaction() as tx:
        await reinstate(tx, world.ann.id, world.runtime.authority)
    await switch(world, "item_update", on=False)

    assert (await carried_out(world, plan)).state is State.VERIFIED


@pytest.mark.parametrize("who", ["bot", "rita"])
async def test_nothing_is_sent_for_a_plan_whose_caller_is_suspended_midway_and_people_undo_what_stands(
    world: World, who: str
) -> None:
    plan = await halfway(world)
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, getattr(world, who).id, "out of control", world.runtime.authority)
    await switch(world, "item_update", on=False)

    partial = await carried_out(world, plan)

    assert partial.state is State.PARTIAL
    assert "Step 1, put, stands, because it could not be taken back" in (partial.error_message or "")
    assert "is suspended" in (partial.error_message or "")
    assert len(world.upstream.store.effects()) == 1
    if who == "bot":
        (put, *_) = await calls_of(world, plan)
        await undone_by_hand(world, put)
        assert items(world) == {1: ("pencil", 10)}


async def test_an_undo_that_policy_forbids_by_now_leaves_what_stands_and_says_why(world: World) -> None:
    plan = await halfway(world)
    await world.decide_by(NO_DELETING)
    await cancel(world.runtime, world.caller, plan.id, reason="no")

    partial = await carried_out(world, plan)

    assert partial.state is State.PARTIAL
    assert "Step 1, put, stands, because it could not be taken back (Nothing is deleted)" in (
        partial.error_message or ""
    )
