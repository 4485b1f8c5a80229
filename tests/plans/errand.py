"""Plans in the small world of tests: declaring one, calling it, deciding on it, and letting it run to its end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from upstream.composites import COUNT, PUT, RENAME, changed, restock
from world import World

from hub.budgets import Measure, NewLimit, Per, StopKind, lift_stop, set_limit, set_stop
from hub.core.errors import Conflict
from hub.identity.principals import Caller
from hub.invocations.journal import load
from hub.invocations.plan_progress import with_progress
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Invocation
from hub.registry import Declaration, declare, find_tool
from hub.storage import Database, now

Json = Any
STEPS = (PUT, RENAME, COUNT)


def caller_of(world: World) -> Caller:
    """Return the agent with the scope of composite tools, too."""
    return replace(world.caller, scopes=world.caller.scopes | {"composite_dev:write"})


async def offer(world: World, steps: Sequence[Mapping[str, Json]] = STEPS, **changes: Json) -> None:
    """Declare the plan `restock` made of `steps`."""
    async with world.runtime.database.transaction() as tx:
        await declare(tx, Declaration.model_validate(restock(steps, **changes)), world.runtime.authority)


async def proposed(world: World, **arguments: Json) -> Invocation:
    """Return the plan as the agent has called it."""
    given = {"id": 40, "name": "ruler", **arguments}
    return await world.call("restock", given, caller=caller_of(world))


async def approved(world: World, **arguments: Json) -> Invocation:
    """Return the plan as the agent has called it and ann has agreed to it."""
    asked = await proposed(world, **arguments)
    assert asked.state is State.AWAITING_APPROVAL, (asked.state, asked.error_message)
    return await world.vote(asked, world.ann)


async def settle(world: World, *, rounds: int = 12) -> None:
    """Let all leases and pauses be over, again and again, until nobody can do any more."""
    for _ in range(rounds):
        waiting = await let_leases_end(world.runtime.database)
        if not waiting:
            return
        for name in waiting:
            try:
                await resume(name, world.runtime)
            except Conflict:
                continue


async def let_leases_end(database: Database) -> list[str]:
    """Let all leases and pauses be over; return what somebody may now go on with, in the order of the calls."""
    row = InvocationRow
    is_over = row.state.in_([state.value for state in State if state.is_terminal or state is State.AWAITING_APPROVAL])
    async with database.transaction() as tx:
        past = {"not_before": None, "lease_until": await now(tx) - timedelta(seconds=1)}
        await tx.execute(update(row).where(row.lease_until.is_not(None), ~is_over).values(past))
        await tx.execute(update(row).where(~is_over).values(not_before=None))
        return list(await tx.scalars(select(row.id).where(~is_over).order_by(row.id)))


async def carried_out(world: World, plan: Invocation) -> Invocation:
    """Return how the plan stands once nobody can do any more."""
    await settle(world)
    return await seen(world, plan)


async def seen(world: World, plan: Invocation) -> Invocation:
    """Return how the plan stands now."""
    return await current(world.runtime, plan.id)


async def calls_of(world: World, plan: Invocation) -> list[Invocation]:
    """Return the calls of the steps and of their undos, oldest first."""
    async with world.runtime.database.reading() as tx:
        mine = select(InvocationRow.id).where(InvocationRow.part_of == plan.id).order_by(InvocationRow.id)
        return [await load(tx, one) for one in await tx.scalars(mine)]


async def statuses(world: World, plan: Invocation) -> list[str]:
    """Return how each step of the plan stands."""
    async with world.runtime.database.reading() as tx:
        standing = await with_progress(tx, await load(tx, plan.id))
    return [one.status.value for one in standing.progress]


def items(world: World) -> dict[int, tuple[str, int]]:
    """Return the name and quantity of every item in the upstream."""
    return {row["id"]: (row["name"], row["quantity"]) for row in world.upstream.store.rows("SELECT * FROM item")}


async def switch(world: World, tool: str, *, on: bool) -> None:
    """Turn the kill switch of a tool of the upstream on or off."""
    async with world.runtime.database.transaction() as tx:
        found = await find_tool(tx, "upstream", tool)
        assert found is not None
        if on:
            await set_stop(tx, StopKind.TOOL, found.id, "a closer look", world.runtime.authority)
        else:
            await lift_stop(tx, StopKind.TOOL, found.id, world.runtime.authority)


async def begun(world: World, steps: Sequence[Mapping[str, Json]] = STEPS) -> Invocation:
    """Return a plan that ann has agreed to and a worker has begun; none of its steps has been called yet."""
    await offer(world, steps)
    plan = await resume((await approved(world)).id, world.runtime)
    assert plan.state is State.SENT, (plan.state, plan.error_message)
    return plan


async def halfway(world: World, steps: Sequence[Mapping[str, Json]] = STEPS) -> Invocation:
    """Return a plan whose first step is done, and whose second is held back by a kill switch."""
    plan = await begun(world, steps)
    await switch(world, "item_update", on=True)
    await settle(world, rounds=2)
    found = await statuses(world, plan)
    told = [(call.state, call.error_code, call.error_message) for call in await calls_of(world, plan)]
    assert found == ["done", *["ahead"] * (len(steps) - 1)], told
    return await seen(world, plan)


async def hold_second_update(world: World) -> str:
    """Let only one write of `item_update` pass; return the id of the limit."""
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_update")
        assert tool is not None
        new = NewLimit(per=Per.TOOL, subject=tool.id, measure=Measure.WRITES, amount=1, seconds=86_400)
        return (await set_limit(tx, new, world.runtime.authority)).id


async def held_back(world: World) -> tuple[Invocation, str]:
    """Return a plan whose last step is approved and waits for a limit, and the id of that limit."""
    await offer(world, [PUT, RENAME, changed(COUNT, quantity=5)])
    plan = await approved(world)
    limit = await hold_second_update(world)
    await settle(world, rounds=3)
    last = (await calls_of(world, plan))[-1]
    assert (last.state, last.error_code) == (State.APPROVED, "over_budget"), (last.state, last.error_message)
    return await seen(world, plan), limit


async def undone_by_hand(world: World, call: Invocation) -> Invocation:
    """Return the call by which rita has undone `call`, and which ann has agreed to if anybody was asked."""
    wanted = Undo(caller=Caller(actor=world.rita), invocation_id=call.id, reason="a mistake", trace_id="trace")
    taken = await undo(wanted, world.runtime)
    if taken.state is State.AWAITING_APPROVAL:
        await world.vote(taken, world.ann)
        taken = await resume(taken.id, world.runtime)
    assert taken.state is State.VERIFIED, (taken.state, taken.error_message)
    return taken
