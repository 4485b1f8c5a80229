"""Stopping a plan under way: it goes no further, and what it has done is taken back."""

from sqlalchemy import update

from hub.audit import Event, EventKind, append
from hub.invocations.journal import announce, hold, load
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.storage import Tx


async def stop_plan(tx: Tx, plan_id: str, reason: str, runtime: Runtime, *, by: str | None = None) -> Invocation:
    """Let the plan go no further, for a `reason` that stays the first; one that has ended stays as it is."""
    await hold(tx, plan_id)
    plan = await load(tx, plan_id)
    if plan.state is not State.SENT or plan.stop_reason is not None:
        return plan
    event = Event(
        kind=EventKind.PLAN_STOPPED,
        subject=plan_id,
        actor=by,
        agent=plan.agent_id,
        on_behalf_of=plan.on_behalf_of_id,
        trace_id=plan.trace_id,
        run_id=plan.claims.run,
        private={"reason": reason},
    )
    await append(tx, event, runtime.keys)
    changes = {"stop_reason": reason, "not_before": None}
    await tx.execute(update(InvocationRow).where(InvocationRow.id == plan_id).values(changes))
    await announce(tx, runtime, plan_id)
    return await load(tx, plan_id)
