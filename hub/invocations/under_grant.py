"""Approving a write under a standing grant, in place of the one vote policy asks for, and whether that still holds.

The approval is bound to the same digest as any other, which here covers the grant and its giver too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any, Final

from hub import standing
from hub.approvals import Terms, decision_summary
from hub.audit import Event, EventKind, append
from hub.core.canonical import digest
from hub.core.errors import NotFound
from hub.identity import directory
from hub.invocations.callers import caller_of, voters_excluded
from hub.invocations.decisions import basis, decide_on_vote, on_record
from hub.invocations.journal import Step, hold, move
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import opened, recorded_arguments
from hub.invocations.states import State
from hub.invocations.values import ApprovedBy, Invocation
from hub.keys import Keyring
from hub.policy import Denied, Obligation, Obliged, exposed_facts
from hub.registry import PublishedTool
from hub.standing import Agency, Case, Spending, StandingGrant, is_single_vote, why_not
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

GRANTED_APPROVAL_LASTS: Final = timedelta(minutes=10)
"""How long a write that a grant approved may wait for its commit, as with one that policy allowed."""


async def case_of(
    tx: Tx, previewed: Invocation, tool: PublishedTool, obligations: Sequence[Obligation], keys: Keyring
) -> Case:
    """Return a previewed write, of which policy asks `obligations`, as standing grants see it."""
    assert previewed.preview is not None  # noqa: S101  # nothing is asked without a preview
    preview = previewed.preview.preview
    caller = await caller_of(tx, previewed)
    exposed = exposed_facts(tool.version.spec, recorded_arguments(tool, opened(previewed, keys)))
    return Case(
        agent_id=previewed.agent_id,
        agent_owner_id=caller.actor.owner_id,
        excluded=voters_excluded(caller),
        tool_id=previewed.tool_id,
        tool_version_digest=previewed.tool_version_digest,
        connection_id=previewed.connection_id,
        connection_generation=previewed.connection_generation,
        environment=previewed.environment,
        tier=previewed.tier,
        obligations=tuple(obligations),
        facts=exposed.values,
        fidelity=preview.fidelity,
        blast=preview.blast,
        side_effects=tuple(sorted((one.kind, one.recipient) for one in preview.side_effects)),
        not_covered=frozenset(preview.not_covered),
    )


async def approve_by_grant(
    previewed: Invocation, tool: PublishedTool, decision: Obliged, runtime: Runtime
) -> Invocation | None:
    """Approve `previewed` under a standing grant that covers it, and return it, APPROVED; None if there is none.

    An undo is a question of its own: nobody who allowed calls in advance had it in mind.
    """
    if previewed.undoes is not None:
        return None
    agency = Agency(agent_id=previewed.agent_id, tool_id=previewed.tool_id, connection_id=previewed.connection_id)
    async with runtime.database.reading() as tx:
        if not (is_single_vote(decision.obligations) and await standing.open_grants_for(tx, agency)):
            return None
    async with runtime.database.transaction() as tx:
        await hold(tx, previewed.id)
        case = await case_of(tx, previewed, tool, decision.obligations, runtime.keys)
        for grant in await standing.open_grants_for(tx, agency):
            if why_not(grant, case) or not await giver_still_may(tx, grant, previewed, tool, runtime):
                continue
            terms = _terms(previewed, tool, decision, grant, at=await now(tx))
            if await standing.spend(tx, _spending(previewed, grant, terms, case.money_minor)):
                return await _approve(tx, previewed, decision, terms, runtime)
    return None


async def giver_still_may(
    tx: Tx, grant: StandingGrant, previewed: Invocation, tool: PublishedTool, runtime: Runtime
) -> bool:
    """Return whether the giver could vote on `previewed` today: active, in the group, and allowed by policy."""
    try:
        giver = await directory.get(tx, grant.giver_id)
    except NotFound:
        return False
    if giver.is_suspended or not grant.asked.admits(giver.groups):
        return False
    return not isinstance(await decide_on_vote(tx, giver, previewed, tool, runtime), Denied)


async def no_longer_granted(tx: Tx, claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> list[str]:
    """Return why the approval that a grant gave does not hold any more; nothing while it does."""
    spending = await standing.spending_of(tx, claimed.approval_digest or "")
    if spending is None or not _is_bound(spending, claimed):
        return ["the approval on record is for something else"]
    grant = await standing.get_grant(tx, spending.grant_id)
    obligations = [Obligation.from_json(one) for one in spending.terms["obligations"]]
    case = await case_of(tx, claimed, tool, obligations, runtime.keys)
    if why := why_not(grant, case):
        return [f"the standing grant does not cover it: {why}"]
    if grant.revoked_at is not None or grant.expires_at <= await now(tx):
        return ["the standing grant was revoked or has ended"]
    if not await giver_still_may(tx, grant, claimed, tool, runtime):
        return ["whoever gave the standing grant may no longer approve this"]
    return []


async def asks_for_more(claimed: Invocation, tool: PublishedTool, asked: Obliged, runtime: Runtime) -> list[str]:
    """Return why what policy asks today is more than the grant stands for; nothing if it is not."""
    if asked.alarms:
        return ["a rule of policy now finds it unusual, and a standing grant is for what is usual"]
    async with runtime.database.reading() as tx:
        spending = await standing.spending_of(tx, claimed.approval_digest or "")
        if spending is None:
            return ["the approval on record is for something else"]
        grant = await standing.get_grant(tx, spending.grant_id)
        why = why_not(grant, await case_of(tx, claimed, tool, asked.obligations, runtime.keys))
    return [f"policy now asks for more than the standing grant: {why}"] if why else []


def _is_bound(spending: Spending, claimed: Invocation) -> bool:
    """Return whether the terms on record are those of the approval digest, and those of exactly this write."""
    terms = spending.terms
    return (
        spending.returned_at is None
        and spending.invocation_id == claimed.id
        and spending.revision == claimed.revision
        and digest(terms) == spending.approval_digest == claimed.approval_digest
        and terms["granted"]["grant"] == spending.grant_id
        and terms["intent_digest"] == claimed.intent_digest
        and claimed.preview is not None
        and terms["preview_digest"] == claimed.preview.digest
        and terms["summary_digest"] == digest(spending.summary)
        and datetime.fromisoformat(terms["expires_at"]) == claimed.expires_at
    )


def _terms(
    previewed: Invocation, tool: PublishedTool, decision: Obliged, grant: StandingGrant, *, at: datetime
) -> Terms:
    assert previewed.preview is not None  # noqa: S101  # nothing is approved without a preview
    return Terms(
        intent_digest=previewed.intent_digest,
        preview_digest=previewed.preview.digest,
        policy_digest=decision.bundle_digest,
        obligations=decision.obligations,
        summary=decision_summary(tool, previewed.preview.preview, previewed.tier),
        expires_at=min(at + GRANTED_APPROVAL_LASTS, grant.expires_at),
        nonce=token_hex(16),
        granted={"grant": grant.id, "giver": grant.giver_id},
    )


def _spending(previewed: Invocation, grant: StandingGrant, terms: Terms, money_minor: int) -> Spending:
    return Spending(
        approval_digest=terms.digest,
        grant_id=grant.id,
        invocation_id=previewed.id,
        revision=previewed.revision,
        terms=terms.as_json(),
        summary=terms.summary,
        money_minor=money_minor,
    )


async def _approve(tx: Tx, previewed: Invocation, decision: Obliged, terms: Terms, runtime: Runtime) -> Invocation:
    assert terms.granted is not None  # noqa: S101  # these are the terms of a grant
    granted: Mapping[str, str] = terms.granted
    spent = {"invocation": previewed.id, "approval_digest": terms.digest}
    event = Event(kind=EventKind.STANDING_SPENT, subject=granted["grant"], agent=previewed.agent_id, facts=spent)
    await append(tx, event, runtime.keys)
    step = Step(
        to=State.APPROVED,
        event=EventKind.INVOCATION_APPROVED,
        facts={
            "approved_by": ApprovedBy.GRANT.value,
            "approval_digest": terms.digest,
            **granted,
            **on_record(decision),
        },
        private=basis(decision) | {"terms": terms.as_json()},
        changes={
            "approval_digest": terms.digest,
            "approved_by": ApprovedBy.GRANT.value,
            "policy_digest": decision.bundle_digest,
            "deadline": terms.expires_at,
            "lease_until": await now(tx) + timedelta(seconds=runtime.lease_seconds),
        },
    )
    return await move(tx, runtime, previewed, step)
