"""What an attempt to commit came to: every outcome of the executor, and the one state that says so truthfully."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from connectors.sdk.vocabulary import UpstreamClass
from hub.audit import EventKind
from hub.execution import CommitOutcome, Conflicted, Failed, Passage, Ran, Succeeded, Unknown
from hub.invocations.journal import Step, load, move, put_off
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import recorded_output
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import PublishedTool
from hub.storage import now

Json = Any
"""Any JSON value."""

MOST_SENDS: Final = 5
"""How often a write of class A or B is sent before people have to look."""
FIRST_PAUSE: Final = timedelta(seconds=1)
SENT_AGAIN: Final = frozenset({UpstreamClass.A, UpstreamClass.B})


async def conclude(standing: Invocation, ran: Ran[CommitOutcome], tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Record what the attempt came to, and return how the invocation stands."""
    async with runtime.database.transaction() as tx:
        step = _step(standing, ran, tool)
        if step is None:
            await put_off(tx, standing, pause_after(standing.sends))
            return await load(tx, standing.id)
        if step.to in {State.APPROVED, State.RESENDING, State.IN_DOUBT}:
            later = {"lease_until": None, "not_before": await now(tx) + pause_after(standing.sends)}
            step = replace(step, changes={**step.changes, **later})
        if step.to is State.COMMITTED:
            step = replace(step, private={"output": recorded_output(tool, step.changes["output"])})
        return await move(tx, runtime, standing, step)


def _step(standing: Invocation, ran: Ran[CommitOutcome], tool: PublishedTool) -> Step | None:
    facts = passage_facts(ran.passage)
    if standing.state is State.SENT:
        return _after_sending(standing, ran.outcome, tool, facts)
    if standing.state is State.RESENDING:
        if isinstance(ran.outcome, Failed) and ran.outcome.code == "upstream_unavailable":
            return None  # this attempt sent nothing; the earlier one is as open as it was, and may be sent again
        return in_doubt(sentence(ran.outcome), facts)  # it cannot be sent again: what it came to must be found out
    if isinstance(ran.outcome, Failed) and ran.outcome.code == "upstream_unavailable":
        return released(ran.outcome.message)
    return stale((sentence(ran.outcome),), facts)


def _after_sending(standing: Invocation, outcome: CommitOutcome, tool: PublishedTool, facts: dict[str, Json]) -> Step:
    is_first = standing.sends == 1
    match outcome:
        case Succeeded():
            return committed(outcome.output, outcome.findings, facts)
        case Failed() if is_first:
            return _failed(outcome, facts)
        case Conflicted() if is_first:
            return stale((outcome.message,), facts)
        case Unknown() if tool.version.spec.upstream_class in SENT_AGAIN and standing.sends < MOST_SENDS:
            return Step(to=State.RESENDING, event=EventKind.COMMIT_RESENDING, facts=facts | reason(outcome))
        case _:
            # a refusal of a later attempt proves nothing about the first, which may have arrived
            return in_doubt(sentence(outcome), facts)


def committed(output: Json, findings: tuple[str, ...], facts: dict[str, Json]) -> Step:
    """Return the move that says the write has happened."""
    return Step(
        to=State.COMMITTED,
        event=EventKind.COMMIT_COMMITTED,
        facts=facts | {"findings": list(findings)},
        changes={"output": output, "findings": list(findings), "error_code": None, "error_message": None},
    )


def in_doubt(why: str, facts: dict[str, Json]) -> Step:
    """Return the move that says nobody knows yet whether the write has happened."""
    changes = {"error_code": "in_doubt", "error_message": why}
    return Step(to=State.IN_DOUBT, event=EventKind.COMMIT_IN_DOUBT, facts=facts | {"reason": why}, changes=changes)


def stale(reasons: tuple[str, ...], facts: dict[str, Json]) -> Step:
    """Return the move that voids the approval: what was approved is not what would happen; a new preview follows."""
    changes = {"lease_until": None, "error_message": "; ".join(reasons)}
    return Step(
        to=State.STALE, event=EventKind.INVOCATION_STALE, facts=facts | {"reasons": list(reasons)}, changes=changes
    )


def released(why: str) -> Step:
    """Return the move that gives a claim back: nothing was sent, so the approval is as good as it was."""
    changes = {"lease_until": None}
    return Step(to=State.APPROVED, event=EventKind.COMMIT_RELEASED, facts={"reason": why}, changes=changes)


def _failed(outcome: Failed, facts: dict[str, Json]) -> Step:
    changes = {"error_code": outcome.code, "error_message": outcome.message, "lease_until": None}
    return Step(to=State.FAILED, event=EventKind.COMMIT_FAILED, facts=facts | reason(outcome), changes=changes)


def pause_after(sends: int) -> timedelta:
    """Return how long to wait before the next attempt: 1, 2, 4, 8, ... seconds, at most a minute."""
    doublings: int = 2 ** max(sends - 1, 0)
    return min(FIRST_PAUSE * doublings, timedelta(minutes=1))


def passage_facts(passage: Passage) -> dict[str, Json]:
    """Return what an audit event says of how connector code ran."""
    return {
        "sandbox_level": passage.sandbox_level,
        "latency_ms": passage.latency_ms,
        "requests": len(passage.transcript),
    }


def reason(outcome: CommitOutcome) -> dict[str, Json]:
    """Return the facts that say why an attempt did not succeed."""
    return {"reason": sentence(outcome), "code": outcome.code if isinstance(outcome, Failed) else None}


def sentence(outcome: CommitOutcome) -> str:
    """Return why an attempt did not succeed, in words."""
    match outcome:
        case Succeeded():
            return "the connector reports success without having sent anything"
        case _:
            return outcome.message
