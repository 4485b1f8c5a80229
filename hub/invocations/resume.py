"""Continuing what stands still: after a vote, a crash, a lost answer, a lease or a deadline that has passed."""

from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import or_, select, update

from connectors.sdk.vocabulary import Effect
from hub.audit import EventKind
from hub.core.errors import Conflict, NotFound, Quarantined
from hub.invocations.asking import called_with
from hub.invocations.callers import caller_of
from hub.invocations.commit import commit, send
from hub.invocations.conclude import released
from hub.invocations.invoke import carry_on
from hub.invocations.journal import Step, load, move
from hub.invocations.leasing import kept_leased
from hub.invocations.leave import demand_leave
from hub.invocations.plan_run import go_on
from hub.invocations.plan_steps import is_plan
from hub.invocations.queries import current
from hub.invocations.reconcile import after_lost_lease, leave_to_people, reconcile, stop_resending
from hub.invocations.runtime import Runtime
from hub.invocations.states import MOST_REVISIONS, State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.invocations.verify import verify
from hub.storage import database_now, now

_GOES_ON = (
    State.RECEIVED,
    State.PREVIEWING,
    State.STALE,
    State.APPROVED,
    State.COMMITTING,
    State.SENT,
    State.RESENDING,
    State.IN_DOUBT,
    State.COMMITTED,
)


class Due(NamedTuple):
    """An invocation that somebody should continue, and the connection over which it goes."""

    invocation_id: str
    connection_id: str


async def due(
    runtime: Runtime, *, limit: int = 50, but: Collection[str] = (), elsewhere_than: Collection[str] = ()
) -> list[Due]:
    """Return invocations that somebody should continue now: nobody holds a lease on them and their pause is over.

    Those named in `but` are left out, and those of the connections `elsewhere_than`.
    """
    async with runtime.database.reading() as tx:
        query = (
            select(InvocationRow.id, InvocationRow.connection_id)
            .where(
                InvocationRow.state.in_([state.value for state in _GOES_ON]),
                or_(InvocationRow.lease_until.is_(None), InvocationRow.lease_until <= database_now()),
                or_(InvocationRow.not_before.is_(None), InvocationRow.not_before <= database_now()),
                InvocationRow.id.not_in(but),
                InvocationRow.connection_id.not_in(elsewhere_than),
            )
            .order_by(InvocationRow.updated_at)
            .limit(limit)
        )
        return [Due(*row) for row in await tx.execute(query)]


async def expire_overdue(runtime: Runtime, *, limit: int = 100) -> int:
    """Move what has passed its deadline to EXPIRED; return how many. A late timer changes nothing (see `current`)."""
    async with runtime.database.reading() as tx:
        waiting = [State.AWAITING_APPROVAL.value, State.APPROVED.value]
        query = select(InvocationRow.id).where(InvocationRow.state.in_(waiting))
        overdue = list(await tx.scalars(query.where(InvocationRow.deadline <= database_now()).limit(limit)))
    for invocation_id in overdue:
        await current(runtime, invocation_id)
    return len(overdue)


async def resume(invocation_id: str, runtime: Runtime) -> Invocation:
    """Take the invocation one step further from wherever it stands, and return how it stands then.

    Raises:
        Conflict: somebody else is at it, or was quicker.
    """
    standing = await _take_over(invocation_id, runtime)
    match standing.state:
        case State.RECEIVED | State.PREVIEWING | State.STALE:
            return await _start_again(standing, runtime)
        case State.APPROVED:
            return await commit(standing, runtime)
        case State.COMMITTING:
            async with runtime.database.transaction() as tx:
                return await move(tx, runtime, standing, released("the process that claimed it has ended"))
        case State.SENT | State.RESENDING | State.IN_DOUBT | State.COMMITTED:
            async with kept_leased(standing, runtime):
                return await _finish(standing, runtime)
        case _:
            return standing


async def _take_over(invocation_id: str, runtime: Runtime) -> Invocation:
    """Lease the invocation to this process under a new fencing number, unless its state is claimed in its own way.

    Raises:
        Conflict: somebody else holds it, and is at work.
    """
    async with runtime.database.transaction() as tx:
        at = await now(tx)
        taken = await tx.scalar(
            update(InvocationRow)
            .where(
                InvocationRow.id == invocation_id,
                InvocationRow.state.in_([state.value for state in _GOES_ON if state is not State.APPROVED]),
                or_(InvocationRow.lease_until.is_(None), InvocationRow.lease_until <= database_now()),
            )
            .values(fence=InvocationRow.fence + 1, lease_until=at + timedelta(seconds=runtime.lease_seconds))
            .returning(InvocationRow.id)
        )
        standing = await load(tx, invocation_id)
    if taken is None and standing.state in _GOES_ON and standing.state is not State.APPROVED:
        raise Conflict("Somebody else is at work on this invocation.")
    return standing


async def _start_again(standing: Invocation, runtime: Runtime) -> Invocation:
    if standing.effect is Effect.READ:
        return await _give_up(standing, State.FAILED, "the read was interrupted; it changed nothing", runtime)
    if standing.state is State.STALE and (why := _why_not_again(standing)):
        return await _give_up(standing, State.EXPIRED, why, runtime)
    try:
        async with runtime.database.reading() as tx:
            caller = await caller_of(tx, standing)
            await demand_leave(tx, standing, caller, public_url=runtime.public_url)
            tool = await runtime.catalog.current(tx, standing.tool_name, server=standing.server, caller=caller)
    except (NotFound, Quarantined) as refusal:
        state = State.EXPIRED if standing.state is State.STALE else State.DENIED
        return await _give_up(standing, state, refusal.message, runtime)
    is_first = standing.state is not State.STALE and standing.question is None  # nobody was asked about it before
    if is_first and tool.version.digest != standing.tool_version_digest:
        return await _give_up(standing, State.DENIED, "the tool was changed before its preview was taken", runtime)
    if tool.version.spec.input_schema != (await called_with(standing, runtime)).version.spec.input_schema:
        why = "the tool takes other arguments than when it was called; call it again"
        return await _give_up(standing, State.EXPIRED, why, runtime)
    return await carry_on(standing, tool, runtime)


def _why_not_again(stale: Invocation) -> str:
    """Return why what went stale is not previewed again; nothing if it is."""
    if stale.part is not None and stale.undoes is None:  # its plan was approved as it was shown
        return stale.error_message or "it is not what its plan was approved for any more"
    if stale.revision >= MOST_REVISIONS:
        return f"its record kept changing: {MOST_REVISIONS} previews went stale"
    return ""


_GIVEN_UP = {
    State.FAILED: EventKind.INVOCATION_READ,
    State.EXPIRED: EventKind.INVOCATION_EXPIRED,
    State.DENIED: EventKind.INVOCATION_DENIED,
}


async def _give_up(standing: Invocation, state: State, why: str, runtime: Runtime) -> Invocation:
    changes = {"error_code": state.value.lower(), "error_message": why, "lease_until": None}
    async with runtime.database.transaction() as tx:
        step = Step(to=state, event=_GIVEN_UP[state], facts={"reason": why}, changes=changes)
        return await move(tx, runtime, standing, step)


async def _finish(standing: Invocation, runtime: Runtime) -> Invocation:
    """Find out what a sent commit came to, with the very version and connection it was sent with."""
    tool = await called_with(standing, runtime)
    if is_plan(standing) and standing.state is State.SENT:
        return await go_on(standing, tool, runtime)
    if tool.connection.generation != standing.connection_generation and standing.state is not State.COMMITTED:
        return await leave_to_people(standing, runtime)
    match standing.state:
        case State.SENT:
            return await after_lost_lease(standing, tool, runtime)
        case State.RESENDING:
            return await stop_resending(standing, tool, runtime) or await send(standing, tool, runtime)
        case State.IN_DOUBT:
            found = await reconcile(standing, tool, runtime)
            return await verify(found, tool, runtime) if found.state is State.COMMITTED else found
        case _:
            return await verify(standing, tool, runtime)
