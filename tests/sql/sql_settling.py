"""Letting an invocation come to its end: as the worker would in time, without waiting."""

from datetime import timedelta

from sql_desk import Desk
from sqlalchemy import update

from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.storage import now


async def settled(desk: Desk, invocation_id: str) -> State:
    """Let all pauses be over, again and again, until nothing is left to do."""
    state = State.SENT
    for _ in range(8):
        async with desk.runtime.database.transaction() as tx:
            at = await now(tx)
            past = {"not_before": None, "sent_at": at - timedelta(hours=1)}
            await tx.execute(update(InvocationRow).values(past))
            await tx.execute(
                update(InvocationRow)
                .where(InvocationRow.lease_until.is_not(None))
                .values(lease_until=at - timedelta(seconds=1))
            )
        state = (await desk.go_on_with(invocation_id)).state
        if state.is_terminal:
            break
    return state
