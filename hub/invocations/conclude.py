"""What an attempt to commit came to: every outcome of the executor, and the one state that says so truthfully."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from connectors.sdk.errors import Unavailable
from connectors.sdk.vocabulary import UpstreamClass
from hub.audit import EventKind
from hub.execution import CommitOutcome, Conflicted, Failed, Passage, Ran, Succeeded, Unknown
from hub.invocations.journal import Step, hold, load, put_off
from hub.invocations.protocol import Answer, after_sending, before_sending, before_sending_again
from hub.invocations.provenance import agreed_in, keep_values, shown_by, source_of
from hub.invocations.quoting import move_quoting
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.invocations.veil import veil_of
from hub.registry import PublishedTool
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

_SENT_BEFORE: Final = "It was sent, and the answer was lost. When it was tried again:"
FIRST_PAUSE: Final = timedelta(seconds=1)


async def conclude(standing: Invocation, ran: Ran[CommitOutcome], tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Record what the attempt came to, without the call's secrets, and return how the invocation stands."""
    veil = veil_of(standing, runtime.keys)
    ran = veil.ran(ran)
    kept = veil.kept(tool, ran.outcome.output) if isinstance(ran.outcome, Succeeded) else {}
    async with runtime.database.transaction() as tx:
        to = _state(standing, answer_of(ran.outcome), tool.version.spec.upstream_class)
        if to is standing.state:
            await put_off(tx, standing, pause_after(standing.sends))
            return await load(tx, standing.id)
        step = _step(standing, to, ran, kept)
        if step.to in {State.APPROVED, State.RESENDING, State.IN_DOUBT}:
            later = {"lease_until": None, "not_before": await now(tx) + pause_after(standing.sends)}
            step = replace(step, changes={**step.changes, **later})
        if step.to is State.COMMITTED:
            step = replace(step, private={"output": kept["output"]})
            await _keep_values(tx, standing, kept["output"], tool, runtime)
        return await move_quoting(tx, runtime, standing, step)


async def _keep_values(tx: Tx, standing: Invocation, output: Json, tool: PublishedTool, runtime: Runtime) -> None:
    """Keep what people agreed to and what came back, so that later writes of the run can be traced to it."""
    source, asked = source_of(standing, tool), standing.question
    was_agreed = asked is not None and asked.revision == standing.revision
    agreed = agreed_in(source, runtime.keys) if was_agreed else []
    await hold(tx, standing.id)
    await keep_values(tx, [*agreed, *shown_by(source, output, runtime.keys)])


def _step(standing: Invocation, to: State, ran: Ran[CommitOutcome], kept: Mapping[str, Json]) -> Step:
    facts, outcome = passage_facts(ran.passage), ran.outcome
    why = _of_all(standing, outcome)
    match to, outcome:
        case State.COMMITTED, Succeeded():
            return committed(kept, outcome.findings, facts)
        case State.FAILED, Failed():
            return _failed(outcome, facts)
        case State.STALE, _:
            return stale((sentence(outcome),), facts)
        case State.APPROVED, _:
            return released(sentence(outcome))
        case State.RESENDING, _:
            known = facts | reason(outcome) | {"reason": why}
            return Step(to=State.RESENDING, event=EventKind.COMMIT_RESENDING, facts=known)
        case _:
            return in_doubt(why, facts)


def _of_all(standing: Invocation, outcome: CommitOutcome) -> str:
    """Return what is known after an attempt, with those before it: what the last one says is true of itself alone."""
    is_first = standing.state is not State.RESENDING and standing.sends <= 1
    if is_first or isinstance(outcome, Unknown):
        return sentence(outcome)
    return f"{_SENT_BEFORE} {sentence(outcome)}"


def _state(standing: Invocation, answer: Answer, upstream_class: UpstreamClass) -> State:
    match standing.state:
        case State.SENT:
            return after_sending(answer, upstream_class, standing.sends)
        case State.RESENDING:
            return before_sending_again(answer)
        case _:
            return before_sending(answer)


def answer_of(outcome: CommitOutcome) -> Answer:
    """Return the outcome of an attempt as the protocol sees it."""
    match outcome:
        case Succeeded():
            return Answer.DONE
        case Failed(code=Unavailable.code):
            return Answer.NOT_SENT
        case Failed():
            return Answer.REFUSED
        case Conflicted():
            return Answer.CONFLICTED
        case Unknown():
            return Answer.UNKNOWN


def committed(kept: Mapping[str, Json], findings: tuple[str, ...], facts: Mapping[str, Json]) -> Step:
    """Return the move that says the write has happened; `kept` are the columns with its answer."""
    return Step(
        to=State.COMMITTED,
        event=EventKind.COMMIT_COMMITTED,
        facts={**facts, "findings": list(findings)},
        changes={**kept, "findings": list(findings), "error_code": None, "error_message": None},
    )


def in_doubt(why: str, facts: dict[str, Json]) -> Step:
    """Return the move that says nobody knows yet whether the write has happened."""
    changes = {"error_code": "in_doubt", "error_message": why}
    return Step(to=State.IN_DOUBT, event=EventKind.COMMIT_IN_DOUBT, facts=facts | {"reason": why}, changes=changes)


def stale(reasons: tuple[str, ...], facts: dict[str, Json]) -> Step:
    """Return the move that voids the approval: what was approved is not what would happen; a new preview follows."""
    why = "; ".join(reasons)
    changes = {"lease_until": None, "error_message": why}
    return Step(to=State.STALE, event=EventKind.INVOCATION_STALE, facts=facts | {"reason": why}, changes=changes)


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
