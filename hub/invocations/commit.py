"""Committing what was approved: claim, check everything again, mark as sent before the first byte, record the outcome.

From the mark on the outcome may be unknown, and nothing here may say "not done" unless the system said so (governance,
sections 5 and 6).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from sqlalchemy import update

from hub.audit import EventKind
from hub.budgets import OutOfReach, OverBudget, leave_place
from hub.core.errors import Conflict
from hub.execution import CommitOrder, Target
from hub.invocations.braking import Stopped, brake, record_braked
from hub.invocations.conclude import conclude, released, stale
from hub.invocations.contact import note_contact
from hub.invocations.decisions import all_on_record, basis_of_all
from hub.invocations.journal import Step, announce, hold, load, move, put_off, record_event
from hub.invocations.leasing import kept_leased
from hub.invocations.permit import Permit, TooLate, resent_within
from hub.invocations.plan_steps import is_plan
from hub.invocations.queries import current
from hub.invocations.quoting import move_quoting
from hub.invocations.recheck import Changed, Holds, NotNow, recheck
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import before_of, opened
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.invocations.verify import verify
from hub.policy import Decision
from hub.registry import PublishedTool
from hub.storage import database_now, now

TRY_AGAIN_AFTER: Final = timedelta(seconds=5)
"""How long to leave a system alone that did not answer."""


async def claim(invocation_id: str, runtime: Runtime) -> Invocation | None:
    """Claim an approved invocation for this process, or return None: not approved, too late, or somebody else's.

    The fencing number grows with every claim; whoever holds an older one can neither send nor record (invariant 9).
    With the claim it takes what limits leave, in one transaction; where a limit or a kill switch says no, nothing is
    claimed or taken, and it is left alone until that may have changed.
    """
    try:
        return await _claim(invocation_id, runtime)
    except (OverBudget, OutOfReach, Stopped) as why:
        await _hold_back(invocation_id, why, runtime)
        return None


async def _hold_back(invocation_id: str, why: OverBudget | OutOfReach | Stopped, runtime: Runtime) -> None:
    async with runtime.database.transaction() as tx:
        await hold(tx, invocation_id)
        standing = await load(tx, invocation_id)
        if standing.state is not State.APPROVED:
            return
        later = await now(tx) + TRY_AGAIN_AFTER if isinstance(why, Stopped) else why.frees_at
        told = {"error_code": why.code, "error_message": why.message, "not_before": later, "lease_until": None}
        if (standing.error_code, standing.error_message) != (why.code, why.message):
            await record_braked(tx, standing, why, runtime)
        await tx.execute(update(InvocationRow).where(InvocationRow.id == invocation_id).values(told))
        await leave_place(tx, invocation_id)


async def _claim(invocation_id: str, runtime: Runtime) -> Invocation | None:
    async with runtime.database.transaction() as tx:
        at = await now(tx)
        claimed = await tx.scalar(
            update(InvocationRow)
            .where(
                InvocationRow.id == invocation_id,
                InvocationRow.state == State.APPROVED.value,
                InvocationRow.deadline > database_now(),
            )
            .values(
                state=State.COMMITTING.value,
                fence=InvocationRow.fence + 1,
                lease_until=at + timedelta(seconds=runtime.lease_seconds),
                updated_at=at,
            )
            .returning(InvocationRow.id)
        )
        if claimed is None:
            return None
        standing = await load(tx, invocation_id)
        await brake(tx, standing, runtime)
        await record_event(tx, runtime, standing, Step(to=State.COMMITTING, event=EventKind.COMMIT_CLAIMED))
        await announce(tx, runtime, invocation_id)
        return standing


async def commit(invocation: Invocation, runtime: Runtime) -> Invocation:
    """Carry out the approved `invocation` once, if nothing it was approved for has changed."""
    claimed = await claim(invocation.id, runtime)
    if claimed is None:
        return await _as_it_stands(invocation, runtime)
    async with kept_leased(claimed, runtime):
        found = await recheck(claimed, runtime)
    match found:
        case Holds(tool=tool, decided=decided):
            return await (_set_out if is_plan(claimed) else send)(claimed, tool, runtime, decided)
        case Changed(reasons=reasons, decided=decided):
            step = replace(stale(reasons, all_on_record(decided)), private=basis_of_all(decided))
        case NotNow(reason=reason):
            step = released(reason)
    async with runtime.database.transaction() as tx:
        later = {"not_before": await now(tx) + TRY_AGAIN_AFTER}
        return await move_quoting(tx, runtime, claimed, replace(step, changes={**step.changes, **later}))


async def _set_out(
    claimed: Invocation, tool: PublishedTool, runtime: Runtime, decided: tuple[Decision, ...]
) -> Invocation:
    """Mark a plan as begun, which spends its approval; a worker takes its steps, each a call of its own."""
    permit = Permit(claimed, runtime, seconds=tool.version.spec.timeout_seconds, decided=decided)
    try:
        await permit.ask()
    except TooLate as late:
        async with runtime.database.transaction() as tx:
            await move(tx, runtime, claimed, released(late.message))
        return await current(runtime, claimed.id)
    except Conflict:
        return await _as_it_stands(claimed, runtime)
    async with runtime.database.transaction() as tx:
        await put_off(tx, permit.standing, timedelta(0))
        await announce(tx, runtime, claimed.id)
        return await load(tx, claimed.id)


async def send(
    claimed: Invocation, tool: PublishedTool, runtime: Runtime, decided: tuple[Decision, ...] = ()
) -> Invocation:
    """Send a claimed write, and record what came of it: for the first time as policy has just `decided`, or again."""
    assert claimed.preview is not None  # noqa: S101  # nothing is approved without a preview
    within = resent_within(tool.version.spec)
    permit = Permit(claimed, runtime, seconds=tool.version.spec.timeout_seconds, decided=decided, within=within)
    target = Target(connector=tool.connector, operation=tool.version.spec, connection=tool.connection)
    order = CommitOrder(
        idempotency_key=claimed.upstream_key,
        guard={guard.target: guard.token for guard in claimed.preview.preview.preconditions},
        before=before_of(claimed, runtime.keys),
        deadline_seconds=tool.version.spec.timeout_seconds,
        permit=permit.ask,
    )
    try:
        async with kept_leased(claimed, runtime):  # until it is marked as sent, which has a lease of its own
            ran = await runtime.executor.commit(target, opened(claimed, runtime.keys), order=order)
    except TooLate as late:
        async with runtime.database.transaction() as tx:
            await move(tx, runtime, claimed, released(late.message))
        return await current(runtime, claimed.id)
    except Conflict:  # the permit was refused: the lease is lost, somebody else goes on
        return await _as_it_stands(claimed, runtime)
    concluded = await conclude(permit.standing, ran, tool, runtime)
    await note_contact(ran, target.connection.id, runtime)
    return await verify(concluded, tool, runtime) if concluded.state is State.COMMITTED else concluded


async def _as_it_stands(invocation: Invocation, runtime: Runtime) -> Invocation:
    async with runtime.database.reading() as tx:
        return await load(tx, invocation.id)
