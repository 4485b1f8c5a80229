"""From a preview to the permission to commit it: given by policy at once, or asked of people."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Final

from hub import approvals, outbox
from hub.approvals import Asked, Kind, Question, Terms, decision_summary
from hub.approvals.counters import authors
from hub.approvals.rules import asked_groups, asked_in
from hub.audit import EventKind
from hub.identity.principals import Caller
from hub.invocations.callers import caller_of, requester_id, voters_excluded
from hub.invocations.decisions import basis, on_record
from hub.invocations.handles import outlast
from hub.invocations.journal import Step, move
from hub.invocations.reviewing import draw
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tally import carry_over, decided
from hub.invocations.values import ApprovedBy, Invocation
from hub.policy import Allowed, Obligation, Obliged, strictest
from hub.registry import PublishedTool
from hub.storage import Tx, now

POLICY_APPROVAL_LASTS: Final = timedelta(minutes=10)
"""How long a write that policy allowed may wait for its commit, say while the system is down."""
APPROVAL_REQUESTED: Final = "approval.requested"
"""The outbox topic of "somebody must decide"."""


async def approve_by_policy(
    previewed: Invocation, tool: PublishedTool, decision: Allowed, runtime: Runtime
) -> Invocation:
    """Give the permission that policy allows without asking anybody; return the invocation, APPROVED."""
    async with runtime.database.transaction() as tx:
        at = await now(tx)
        terms = _terms(previewed, tool, decision, _in_window(previewed, at + POLICY_APPROVAL_LASTS))
        await draw(tx, previewed, decision, terms.digest, runtime)
        step = Step(
            to=State.APPROVED,
            event=EventKind.INVOCATION_APPROVED,
            facts={"approved_by": ApprovedBy.POLICY.value, "approval_digest": terms.digest, **on_record(decision)},
            private=basis(decision) | {"terms": terms.as_json()},
            changes={
                "approval_digest": terms.digest,
                "approved_by": ApprovedBy.POLICY.value,
                "policy_digest": decision.bundle_digest,
                "deadline": terms.expires_at,
                "lease_until": at + timedelta(seconds=runtime.lease_seconds),  # whoever asked commits it right away
            },
        )
        return await move(tx, runtime, previewed, step)


async def ask(
    previewed: Invocation,
    tool: PublishedTool,
    decision: Allowed | Obliged,
    runtime: Runtime,
    *,
    also: Sequence[Obligation] = (),
) -> Invocation:
    """Put the question to the groups that policy names; return the invocation, AWAITING_APPROVAL.

    `also` is what policy asks of the steps of a plan.

    Who was asked before is asked again, whatever policy says of it by now: of what went stale meanwhile, and of what an
    approver proposed, but for its author.
    """
    async with runtime.database.transaction() as tx:
        at = await now(tx)
        asked_for = _obligations(previewed, decision, also)
        expires_at = _in_window(previewed, at + approvals.shortest(asked_for))
        terms = replace(_terms(previewed, tool, decision, expires_at), obligations=asked_for)
        question = await approvals.open_question(tx, _asked(previewed, await caller_of(tx, previewed), terms), terms)
        question = await carry_over(tx, previewed, question)
        step = Step(
            to=State.AWAITING_APPROVAL,
            event=EventKind.INVOCATION_APPROVAL_REQUESTED,
            facts={
                "approval_digest": terms.digest,
                **on_record(decision),
                "expires_at": terms.expires_at.isoformat(),
                "carried_votes": [vote.voter_id for vote in question.votes],
                "lacking": [one.told for one in await approvals.lacking(tx, question)],
            },
            private=basis(decision) | {"summary": dict(terms.summary)},
            changes={
                "approval_digest": terms.digest,
                "policy_digest": decision.bundle_digest,
                "deadline": terms.expires_at,
                "lease_until": None,
            },
        )
        asked = await move(tx, runtime, previewed, step)
        await outlast(tx, asked.id, expires_at)
        if agreed := decided(question):  # by votes on the preview before, which policy lets count
            return await move(tx, runtime, asked, agreed)
        await call_for(tx, question)
        return asked


def _asked(previewed: Invocation, caller: Caller, terms: Terms) -> Asked:
    kind = Kind(
        agent_id=previewed.agent_id,
        on_behalf_of_id=previewed.on_behalf_of_id,
        tool_version_digest=previewed.tool_version_digest,
        connection_id=previewed.connection_id,
        connection_generation=previewed.connection_generation,
    )
    shape = approvals.shape_of(kind, terms)
    return Asked(
        invocation_id=previewed.id,
        revision=previewed.revision,
        excluded=voters_excluded(caller) | authors(previewed.counters),
        shape=shape,
        owned_agent_id=previewed.agent_id if previewed.on_behalf_of_id is None else None,
        confirmer_id=requester_id(caller),
    )


async def call_for(tx: Tx, question: Question) -> None:
    """Let those be told who are asked now; each stage of a question is told of once."""
    stage = question.stage
    asked = asked_in(question.obligations, stage)
    payload = {
        "invocation_id": question.invocation_id,
        "approval_digest": question.digest,
        "groups": sorted(asked_groups(asked)),
        "stage": stage,
    }
    await outbox.put(tx, topic=APPROVAL_REQUESTED, payload=payload, key=f"{question.digest}:{stage}")


def _in_window(previewed: Invocation, expires_at: datetime) -> datetime:
    """Return when the permission ends: an undo's ends with the time in which it may be undone."""
    return min(expires_at, previewed.undo_until) if previewed.undo_until else expires_at


def _terms(previewed: Invocation, tool: PublishedTool, decision: Allowed | Obliged, expires_at: datetime) -> Terms:
    assert previewed.preview is not None  # noqa: S101  # nothing is approved without a preview
    return Terms(
        intent_digest=previewed.intent_digest,
        preview_digest=previewed.preview.digest,
        policy_digest=decision.bundle_digest,
        obligations=_obligations(previewed, decision, ()),
        summary=decision_summary(tool, previewed.preview.preview, previewed.tier),
        expires_at=expires_at,
        nonce=token_hex(16),
    )


def _obligations(
    previewed: Invocation, decision: Allowed | Obliged, also: Sequence[Obligation]
) -> tuple[Obligation, ...]:
    asked_now = decision.obligations if isinstance(decision, Obliged) else ()
    earlier = previewed.question.obligations if previewed.question is not None else ()
    return strictest([*approvals.asked_already(previewed.counters), *earlier, *asked_now, *also])
