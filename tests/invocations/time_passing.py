"""Time that passes for a write: approved, paused, its answer lost, and looked at again as a worker does."""

from datetime import timedelta

from sqlalchemy import update
from world import World

from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.storage import now


async def approved(world: World, tool: str, arguments: dict[str, object]) -> Invocation:
    """Return the invocation, approved by ann and not yet committed."""
    asked = await world.call(tool, arguments)
    assert asked.state is State.AWAITING_APPROVAL
    return await world.vote(asked, world.ann)


async def later(world: World, invocation: Invocation, *, sent_ago: timedelta = timedelta()) -> None:
    """Let time pass for one invocation: its pause and its lease are over, and it was sent `sent_ago`."""
    async with world.runtime.database.transaction() as tx:
        at = await now(tx)
        past = {"not_before": at - timedelta(seconds=1), "lease_until": None}
        if sent_ago:
            past["sent_at"] = at - sent_ago
        await tx.execute(update(InvocationRow).where(InvocationRow.id == invocation.id).values(past))


async def settled(world: World, invocation: Invocation, *, rounds: int = 6) -> Invocation:
    """Return the invocation after as many steps of a worker as may follow."""
    for _ in range(rounds):
        await later(world, invocation)
        invocation = await resume(invocation.id, world.runtime)
        if invocation.state.is_terminal:
            break
    return invocation
