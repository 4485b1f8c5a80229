"""Finding out what became of a commit whose answer was lost (governance, section 6).

Class A and B are sent again under the same key or condition. Class C is looked up by our reference, and "not found"
counts only after a quarantine. What only a person can find out waits for a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import UpstreamClass
from hub import dryrun
from hub.audit import EventKind
from hub.dryrun import Verdict
from hub.execution import Failed, Previewed, Succeeded, Target
from hub.invocations import protocol
from hub.invocations.asking import ask_preview, records_now
from hub.invocations.conclude import committed, in_doubt, passage_facts, pause_after
from hub.invocations.journal import Step, load, move, put_off
from hub.invocations.permit import is_too_late_again, resent_within
from hub.invocations.protocol import Sight, after_sight
from hub.invocations.quoting import move_quoting
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import opened
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.invocations.veil import veil_of
from hub.registry import Connection, PublishedTool
from hub.storage import now

Json = Any
"""Any JSON value."""

LOOK_AGAIN_AFTER: Final = timedelta(minutes=10)
"""How long what only people can settle is left alone."""

_FINDS_OUT: Final = frozenset({UpstreamClass.B, UpstreamClass.C})
"""The systems that tell the hub itself what became of a write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a look at the system showed, and what goes on record with it."""

    sight: Sight = Sight.UNCLEAR
    kept: Mapping[str, Json] = field(default_factory=dict[str, Json])
    findings: tuple[str, ...] = ()
    why: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


async def after_lost_lease(sent: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Take over a commit whose process died after it was marked as sent: send again, or say that it is in doubt."""
    why = "the process that sent it ended before the answer was on record"
    if protocol.after_lost_lease(tool.version.spec.upstream_class, sent.sends) is State.RESENDING:
        step = Step(to=State.RESENDING, event=EventKind.COMMIT_RESENDING, facts={"reason": why})
    else:
        step = in_doubt(why, {})
    async with runtime.database.transaction() as tx:
        changes = {**step.changes, "lease_until": None, "not_before": await now(tx)}
        step = Step(to=step.to, event=step.event, facts=step.facts, changes=changes)
        return await move(tx, runtime, sent, step)


async def stop_resending(waiting: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation | None:
    """Leave to people what would be sent again under a key that its system may have forgotten; None: it knows it."""
    why = "it was sent so long ago that the system may have forgotten its key; look there whether it was done"
    async with runtime.database.transaction() as tx:
        if not await is_too_late_again(tx, waiting, resent_within(tool.version.spec)):
            return None
        step = in_doubt(why, {})
        return await move(tx, runtime, waiting, replace(step, changes={**step.changes, "lease_until": None}))


async def leave_to_people(sent: Invocation, runtime: Runtime) -> Invocation:
    """Say of a write that is marked as sent that only people can find out: its connection leads elsewhere by now.

    Where it leads now may be another system, or another account of the same: nothing found there proves anything, and
    a request sent there would be another write.
    """
    why = "the connection was changed since it was sent; look in the system that it led to then"
    async with runtime.database.transaction() as tx:
        if sent.state is State.IN_DOUBT:
            await put_off(tx, sent, LOOK_AGAIN_AFTER)
            return await load(tx, sent.id)
        step = in_doubt(why, {})
        return await move(tx, runtime, sent, replace(step, changes={**step.changes, "lease_until": None}))


def looks_again_at(doubtful: Invocation, operation: OperationSpec, connection: Connection) -> datetime | None:
    """Return from when on the hub looks again itself for what is IN_DOUBT; None: it does not, and people must."""
    leads_there = connection.generation == doubtful.connection_generation
    return doubtful.retry_at if leads_there and operation.upstream_class in _FINDS_OUT else None


async def reconcile(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Look for the effect of an invocation IN_DOUBT; return it resolved, or still in doubt and put off."""
    step = await _findings(doubtful, tool, runtime)
    async with runtime.database.transaction() as tx:
        if step is not None:
            return await move_quoting(tx, runtime, doubtful, step)
        age = await now(tx) - (doubtful.sent_at or doubtful.updated_at)
        await put_off(tx, doubtful, max(pause_after(doubtful.sends), min(age, LOOK_AGAIN_AFTER)))
        return await load(tx, doubtful.id)


async def _findings(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> Step | None:
    quarantine_is_over = await _quarantine_is_over(doubtful, tool, runtime)  # asked before the look, not after
    seen = await _look(doubtful, tool, runtime)
    match after_sight(seen.sight, quarantine_is_over=quarantine_is_over):
        case State.COMMITTED:
            return committed(seen.kept, seen.findings, seen.facts)
        case State.NOT_APPLIED:
            return _not_applied(seen)
        case _:
            return None


async def _look(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> _Seen:
    match tool.version.spec.upstream_class:
        case UpstreamClass.C:
            return await _look_up(doubtful, tool, runtime)
        case UpstreamClass.B:
            return await _compare(doubtful, tool, runtime)
        case _:
            return _Seen()


async def _look_up(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> _Seen:
    target = Target(connector=tool.connector, operation=tool.version.spec, connection=tool.connection)
    arguments = opened(doubtful, runtime.keys)
    found = await runtime.executor.look_up(target, arguments, idempotency_key=doubtful.upstream_key)
    veil = veil_of(doubtful, runtime.keys)
    ran = veil.ran(found)
    facts = {"found_by": "lookup"} | passage_facts(ran.passage)
    match ran.outcome:
        case Succeeded(output=output, findings=findings):
            return _Seen(sight=Sight.DONE, kept=veil.kept(tool, output), findings=findings, facts=facts)
        case Failed(code="not_applied"):
            return _Seen(sight=Sight.ABSENT, why="the system has no record with our reference", facts=facts)
        case _:
            return _Seen()


async def _compare(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> _Seen:
    """Compare the record with the prediction: changed as predicted, untouched, or changed by somebody else."""
    if doubtful.preview is None:
        return _Seen()
    approved, facts = doubtful.preview.preview, {"found_by": "comparison"}
    records = await records_now(doubtful, tool, runtime)
    verdict, _ = dryrun.judge(approved, records, volatile=tool.version.spec.volatile)
    if verdict is Verdict.VERIFIED:
        finding = "The system's answer was lost; that it was done was found by reading the record back."
        return _Seen(sight=Sight.DONE, findings=(finding,), facts=facts)
    fresh = (await ask_preview(doubtful, tool, runtime)).outcome
    if isinstance(fresh, Previewed) and fresh.preview.preconditions == approved.preconditions:
        return _Seen(sight=Sight.ABSENT, why="the record still has the version it had before", facts=facts)
    return _Seen()


async def _quarantine_is_over(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> bool:
    async with runtime.database.reading() as tx:
        at: datetime = await now(tx)
    sent_at = doubtful.sent_at or doubtful.updated_at
    return at - sent_at > timedelta(seconds=tool.version.spec.quarantine_seconds)


def _not_applied(seen: _Seen) -> Step:
    return Step(
        to=State.NOT_APPLIED,
        event=EventKind.COMMIT_NOT_APPLIED,
        facts={"reason": seen.why} | dict(seen.facts),
        changes={
            "error_code": "not_applied",
            "error_message": f"Nothing was changed: {seen.why}.",
            "lease_until": None,
        },
    )
