"""Finding out what became of a commit whose answer was lost (governance, section 6).

Class A and B are sent again under the same key or condition. Class C is looked up by our reference, and "not found"
counts only after a quarantine. What only a person can find out waits for a person.
"""

from datetime import datetime, timedelta

from connectors.sdk.vocabulary import UpstreamClass
from hub import dryrun
from hub.audit import EventKind
from hub.dryrun import Verdict
from hub.execution import Failed, Previewed, Succeeded, Target
from hub.invocations.conclude import MOST_SENDS, SENT_AGAIN, committed, in_doubt, passage_facts, pause_after
from hub.invocations.journal import Step, load, move, put_off
from hub.invocations.preview import ask_preview
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.invocations.verify import records_now
from hub.registry import PublishedTool
from hub.storage import now


async def after_lost_lease(sent: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Take over a commit whose process died after it was marked as sent: send again, or say that it is in doubt."""
    why = "the process that sent it ended before the answer was on record"
    if tool.version.spec.upstream_class in SENT_AGAIN and sent.sends < MOST_SENDS:
        step = Step(to=State.RESENDING, event=EventKind.COMMIT_RESENDING, facts={"reason": why})
    else:
        step = in_doubt(why, {})
    async with runtime.database.transaction() as tx:
        changes = {**step.changes, "lease_until": None, "not_before": await now(tx)}
        step = Step(to=step.to, event=step.event, facts=step.facts, changes=changes)
        return await move(tx, runtime, sent, step)


async def reconcile(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Look for the effect of an invocation IN_DOUBT; return it resolved, or still in doubt and put off."""
    step = await _findings(doubtful, tool, runtime)
    async with runtime.database.transaction() as tx:
        if step is not None:
            return await move(tx, runtime, doubtful, step)
        age = await now(tx) - (doubtful.sent_at or doubtful.updated_at)
        await put_off(tx, doubtful, max(pause_after(doubtful.sends), min(age, timedelta(minutes=10))))
        return await load(tx, doubtful.id)


async def _findings(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> Step | None:
    match tool.version.spec.upstream_class:
        case UpstreamClass.C:
            return await _look_up(doubtful, tool, runtime)
        case UpstreamClass.B:
            return await _compare(doubtful, tool, runtime)
        case _:
            return None


async def _look_up(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> Step | None:
    target = Target(connector=tool.connector, operation=tool.version.spec, connection=tool.connection)
    quarantine_is_over = await _quarantine_is_over(doubtful, tool, runtime)  # asked before the look-up, not after
    ran = await runtime.executor.look_up(target, dict(doubtful.arguments), idempotency_key=doubtful.upstream_key)
    match ran.outcome:
        case Succeeded():
            return committed(
                ran.outcome.output, ran.outcome.findings, {"found_by": "lookup"} | passage_facts(ran.passage)
            )
        case Failed(code="not_applied") if quarantine_is_over:
            return _not_applied("the system has no record with our reference", "lookup")
        case _:
            return None


async def _compare(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> Step | None:
    """Compare the record with the prediction: changed as predicted, untouched, or changed by somebody else."""
    if doubtful.preview is None:
        return None
    approved = doubtful.preview.preview
    quarantine_is_over = await _quarantine_is_over(doubtful, tool, runtime)
    records = await records_now(doubtful, tool, runtime)
    verdict, _ = dryrun.judge(approved, records, volatile=tool.version.spec.volatile)
    if verdict is Verdict.VERIFIED:
        finding = "The system's answer was lost; that it was done was found by reading the record back."
        return committed(doubtful.output, (finding,), {"found_by": "comparison"})
    fresh = (await ask_preview(doubtful, tool, runtime)).outcome
    is_untouched = isinstance(fresh, Previewed) and fresh.preview.preconditions == approved.preconditions
    if is_untouched and quarantine_is_over:
        return _not_applied("the record still has the version it had before", "comparison")
    return None


async def _quarantine_is_over(doubtful: Invocation, tool: PublishedTool, runtime: Runtime) -> bool:
    async with runtime.database.reading() as tx:
        at: datetime = await now(tx)
    sent_at = doubtful.sent_at or doubtful.updated_at
    return at - sent_at > timedelta(seconds=tool.version.spec.quarantine_seconds)


def _not_applied(why: str, found_by: str) -> Step:
    return Step(
        to=State.NOT_APPLIED,
        event=EventKind.COMMIT_NOT_APPLIED,
        facts={"reason": why, "found_by": found_by},
        changes={"error_code": "not_applied", "error_message": f"Nothing was changed: {why}.", "lease_until": None},
    )
