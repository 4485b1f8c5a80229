"""Receiving a write: on record with its decision and its key, or recognised as a call that is already there."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from hub.approvals import was_asked
from hub.audit import EventKind
from hub.core.errors import IdempotencyMismatch
from hub.invocations.aftermath import came_to_nothing, with_aftermath
from hub.invocations.decisions import basis, on_record
from hub.invocations.envelope import outward
from hub.invocations.journal import Step, load, record_event, snapshot
from hub.invocations.overtaking import end_without_leave
from hub.invocations.plan_progress import with_progress
from hub.invocations.plan_steps import flows_into, planned_steps
from hub.invocations.provenance import Trace, overlaid, trace
from hub.invocations.request import Request, new_row
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import sealed
from hub.invocations.states import JOINABLE, REJECTION_REMEMBERED, State
from hub.invocations.tables import IS_WRITE, InvocationRow, NewRow, RepeatKeyRow
from hub.invocations.values import Invocation
from hub.policy import Decision
from hub.storage import Tx, insert_into, now

REJECTED_BEFORE: Final = "rejected_before"
"""How a call is called on record that an approver had rejected."""
REPEAT_WINDOW: Final = timedelta(minutes=10)
"""Without a key and without a run, how long after it ended the same call is taken for a repeat."""
KEY_KEPT: Final = timedelta(days=7)
"""How long after it ended a call with an explicit key, or of a run, is remembered."""
UNDO_KEPT: Final = timedelta(days=36_500)
"""What was undone stays undone: as good as for ever."""


async def receive(request: Request, decision: Decision, runtime: Runtime) -> Invocation:
    """Put the request on record and return it, leased to this process; or return the call it repeats.

    Raises:
        IdempotencyMismatch: the caller's key was used for another request.
    """
    async with runtime.database.transaction() as tx:
        if request.call.part is None and (rejected := await _rejected_before(tx, request)) is not None:
            step = Step(to=State.REJECTED, event=EventKind.INVOCATION_REFUSED, facts={"code": REJECTED_BEFORE})
            await record_event(tx, runtime, rejected, step)
            return replace(rejected, repeats=True)
        row = new_row(request, state=State.RECEIVED)
        row.sealed_arguments = sealed(request.bound, request.arguments, runtime.keys, invocation_id=row.id)
        at = await now(tx)
        row.created_at, row.updated_at = _asked_at(request, at), at
        row.fence = 1
        row.lease_until = at + timedelta(seconds=runtime.lease_seconds)
        if _has_key(request):
            earlier = await _claim_key(tx, request, row, runtime)
            if earlier is not None:
                return earlier
        row.provenance = [one.as_json() for one in await _traced(tx, snapshot(row), runtime)]
        tx.add(row.for_orm)
        await tx.flush()
        received = snapshot(row)
        step = Step(
            to=State.RECEIVED,
            event=EventKind.INVOCATION_RECEIVED,
            facts=on_record(decision) | request.way,
            private={
                "arguments": row.arguments,
                "claims": dict(row.claims),
                **basis(decision),
            },
        )
        await record_event(tx, runtime, received, step)
        return received


def _asked_at(request: Request, at: datetime) -> datetime:
    """Return since when a call is taken to be asked for: what is taken back while it comes in is taken back from it.

    A step of a plan is called when its turn has come. The time of verification is not too early, so that leave which
    was given before counts; leave that is taken back as the database answers the verifier may be missed.
    """
    verified_at = request.call.caller.verified_at
    return at if verified_at is None or request.call.part is not None else min(at, verified_at)


async def _traced(tx: Tx, received: Invocation, runtime: Runtime) -> list[Trace]:
    """Return where the values of a call come from; of a step, those that its plan has read come from that read."""
    found = await trace(tx, received, runtime.keys)
    if received.part is None or received.undoes is not None:
        return found
    steps = planned_steps(await load(tx, received.part.plan_id))
    planned = next((one for one in steps if one.number == received.part.step), None)
    return found if planned is None else overlaid(found, flows_into(planned, steps))


async def _rejected_before(tx: Tx, request: Request) -> Invocation | None:
    """Return the same call if people have just rejected it: by the same policy, of the same version, by whoever asked.

    It is the same in every run and under every key: what somebody has said no to is not asked again by asking anew.
    What was refused since without asking anybody, as while a switch was on, takes nothing of it back.
    """
    alike = (InvocationRow.intent_digest == request.intent_digest, IS_WRITE, was_asked(InvocationRow.id))
    last = await tx.scalar(select(InvocationRow).where(*alike).order_by(InvocationRow.id.desc()).limit(1))
    if last is None or last.state != State.REJECTED.value or last.policy_digest != request.policy_digest:
        return None
    is_remembered = last.updated_at > await now(tx) - REJECTION_REMEMBERED
    return await load(tx, last.id) if is_remembered else None


async def _claim_key(tx: Tx, request: Request, row: NewRow, runtime: Runtime) -> Invocation | None:
    """Return the call this one repeats; or None, and the key now stands for `row`.

    What still waits or is under way is repeated however long that takes: its caller may only be asking for news. What
    waits by leave that was taken back since ends here.
    """
    key = await _locked_key(tx, request, row)
    if key.invocation_id == row.id:
        return None
    earlier = await load(tx, key.invocation_id)
    if not earlier.state.is_terminal or earlier.updated_at > await now(tx) - _kept(request):
        if key.is_explicit and key.intent_digest != request.intent_digest:
            raise IdempotencyMismatch("This idempotency key was used for another request; take a new one.")
        earlier = await with_aftermath(tx, await with_progress(tx, earlier))
        if _may_be_joined(earlier) and not await end_without_leave(tx, runtime, earlier):
            return replace(earlier, repeats=True, is_keyed=key.is_explicit)
    key.invocation_id = row.id
    key.intent_digest = row.intent_digest
    return None


async def _locked_key(tx: Tx, request: Request, row: NewRow) -> RepeatKeyRow:
    """Return the key's record, made for `row` if it is new, and held until `tx` ends: two equal calls cannot race."""
    fresh = {
        "key": request.repeat_key,
        "invocation_id": row.id,
        "intent_digest": row.intent_digest,
        "is_explicit": request.call.idempotency_key is not None,
    }
    await tx.execute(insert_into(tx, RepeatKeyRow).values(fresh).on_conflict_do_nothing())
    query = select(RepeatKeyRow).where(RepeatKeyRow.key == request.repeat_key).with_for_update()
    return (await tx.scalars(query)).one()


def _has_key(request: Request) -> bool:
    call = request.call
    is_the_hubs = call.undoes is not None or call.part is not None
    return not request.tool.version.spec.repeatable or call.idempotency_key is not None or is_the_hubs


def _may_be_joined(earlier: Invocation) -> bool:
    """Return whether a repeat is answered with `earlier`; what is told that it may be tried again is tried again.

    So is an undo that came to nothing. A step of a plan is called once, whatever came of it.
    """
    if earlier.part is not None and earlier.undoes is None:
        return True
    if earlier.undoes is not None and came_to_nothing(earlier):
        return False
    return earlier.state in JOINABLE and not outward(earlier).retryable


def _kept(request: Request) -> timedelta:
    if request.call.undoes is not None or request.call.part is not None:
        return UNDO_KEPT
    has_name = request.call.idempotency_key is not None or request.call.claims.run is not None
    return KEY_KEPT if has_name else REPEAT_WINDOW
