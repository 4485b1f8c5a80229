"""Break-glass: an operator lets a previewed write go that the people it asks have not approved, and answers for it.

Everything else stays as it is: the requester's confirmation, the preview, the digest, the checks before sending, the
record. Who broke the glass cannot do it again until somebody else has reviewed it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from hub import outbox
from hub.approvals import Question
from hub.approvals.rules import login_is_fresh
from hub.audit import EventKind
from hub.core.errors import ChangedSinceSeen, Conflict, Forbidden, FreshLoginNeeded, HubError, InputError, NotFound
from hub.identity import directory
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal
from hub.invocations.callers import caller_of, voters_excluded
from hub.invocations.decisions import basis, decide_on_glass, on_record
from hub.invocations.journal import Step, hold, load, move
from hub.invocations.overtaking import refuse_overtaken
from hub.invocations.plan_steps import is_plan
from hub.invocations.refusals import Attempt, record_refusal
from hub.invocations.refuse import NotByPolicy
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import ApprovedBy, Invocation
from hub.policy import Decision, Denied
from hub.registry import PublishedTool, read_current
from hub.reviews import NewReview, ReviewKind, Verdict, put_review, review_of_approval, unreviewed_glass
from hub.storage import Tx, now

GLASS_BROKEN: Final = "glass.broken"
"""The outbox topic of "a write went without approval": for whoever answers for the tool, the connection, the agent."""
LONGEST_REASON: Final = 2000
FRESH: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaking:
    """What an operator hands in: the digest that the page showed, and why it cannot wait."""

    invocation_id: str
    digest: str
    breaker: Principal
    authenticated_at: datetime
    reason: str


async def break_glass(breaking: Breaking, runtime: Runtime) -> Invocation:
    """Let a write go that waits for people, and return it, APPROVED by nobody.

    Raises:
        ChangedSinceSeen: the digest is of something older than what is asked now.
        Conflict: nothing waits any more, or what this operator did so before has not been reviewed.
        Forbidden: it is no operator, takes part in the call, policy does not permit it, or the requester is still
            asked to confirm it.
        FreshLoginNeeded: the login is older than ten minutes, or than a rule wants.
        InputError: the reason is missing or too long.
        NotFound: nothing is asked about this invocation.
    """
    try:
        async with runtime.database.transaction() as tx:
            return await _break(tx, breaking, runtime)
    except HubError as refusal:
        await record_refusal(_attempt(breaking), refusal, runtime)
        raise


async def glass_holds_no_longer(tx: Tx, claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> list[str]:
    """Return why the leave that an operator took does not hold any more; nothing while it does."""
    review = await review_of_approval(tx, claimed.approval_digest or "")
    if review is None or review.breaker_id is None:
        return ["the approval on record is for something else"]
    if review.verdict is Verdict.DISPUTED:
        return ["a reviewer disputes that it may go without approval"]
    breaker = (await directory.get_many(tx, [review.breaker_id])).get(review.breaker_id)
    if breaker is None or not may(breaker, Permission.BREAK_GLASS):
        return ["whoever let it go without approval may no longer do so"]
    if isinstance(await decide_on_glass(tx, breaker, claimed, tool, runtime), Denied):
        return ["policy does not permit it to go without approval"]
    return []


async def _break(tx: Tx, breaking: Breaking, runtime: Runtime) -> Invocation:
    demand(breaking.breaker, Permission.BREAK_GLASS)
    await hold(tx, breaking.invocation_id)
    await runtime.database.lock(tx, f"glass:{breaking.breaker.id}")  # two at once are one after the other
    standing = await load(tx, breaking.invocation_id)
    question = await _asked(tx, standing)
    if is_plan(standing):
        raise Conflict(
            "A plan of several steps is not let go without its approval; let single steps be called instead."
        )
    excluded = question.excluded | voters_excluded(await caller_of(tx, standing))
    _check(breaking, question, excluded, at=await now(tx))
    await refuse_overtaken(tx, standing, public_url=runtime.public_url)
    if waiting := await unreviewed_glass(tx, breaking.breaker.id):
        raise Conflict(f"Somebody else must first review what you let go before: {waiting}.")
    tool = await read_current(
        tx, standing.tool_version_id, standing.connection_id, server=standing.server, name=standing.tool_name
    )
    decision = await decide_on_glass(tx, breaking.breaker, standing, tool, runtime)
    if isinstance(decision, Denied):
        raise NotByPolicy("Policy does not permit it.", decision)
    await put_review(tx, _review(breaking, standing, question, excluded), opened_at=await now(tx))
    await _tell_owners(tx, breaking, standing, tool)
    return await move(tx, runtime, standing, _step(breaking, question, decision))


async def _asked(tx: Tx, standing: Invocation) -> Question:
    question = standing.question
    if question is None:
        raise NotFound("Nothing is being asked about this invocation.")
    if standing.state is not State.AWAITING_APPROVAL or not question.is_open or question.expires_at <= await now(tx):
        raise Conflict("It does not wait for approval any more.")
    return question


def _check(breaking: Breaking, question: Question, excluded: frozenset[str], *, at: datetime) -> None:
    if breaking.digest != question.digest:
        raise ChangedSinceSeen("This has changed since you looked. Read the new preview before you decide.")
    if breaking.breaker.id in excluded:
        raise Forbidden("You take part in this call yourself; another operator must decide.")
    if question.awaits_requester:
        raise Forbidden("The person it is done for has yet to confirm it, and nobody does that in their place.")
    if not breaking.reason.strip() or len(breaking.reason) > LONGEST_REASON:
        raise InputError(f"Say in at most {LONGEST_REASON} characters why this cannot wait for those who are asked.")
    is_young = login_is_fresh(question.obligations, authenticated_at=breaking.authenticated_at, at=at)
    if not is_young or at - breaking.authenticated_at > FRESH:
        raise FreshLoginNeeded("This needs a fresh login. Enter your password again, then decide.")


def _review(breaking: Breaking, standing: Invocation, question: Question, excluded: frozenset[str]) -> NewReview:
    return NewReview(
        kind=ReviewKind.GLASS,
        approval_digest=question.digest,
        invocation_id=standing.id,
        environment=standing.environment,
        agent_id=standing.agent_id,
        tool_id=standing.tool_id,
        tool_name=standing.tool_name,
        reviewers=tuple(sorted({one.group for one in question.obligations if not one.is_confirmation})),
        excluded=excluded | {breaking.breaker.id},
        owned_agent_id=standing.agent_id if standing.on_behalf_of_id is None else None,
        breaker_id=breaking.breaker.id,
        why=breaking.reason.strip(),
    )


async def _tell_owners(tx: Tx, breaking: Breaking, standing: Invocation, tool: PublishedTool) -> None:
    agent = await directory.get(tx, standing.agent_id)
    owners = {tool.tool.owner_id, tool.connection.owner_id, agent.owner_id} - {None}
    payload = {
        "invocation_id": standing.id,
        "approval_digest": breaking.digest,
        "by": breaking.breaker.id,
        "owners": sorted(one for one in owners if one is not None),
    }
    await outbox.put(tx, topic=GLASS_BROKEN, payload=payload, key=breaking.digest)


def _step(breaking: Breaking, question: Question, decision: Decision) -> Step:
    facts = {
        "approved_by": ApprovedBy.NOBODY.value,
        "approval_digest": question.digest,
        "by": breaking.breaker.id,
        "authenticated_at": breaking.authenticated_at.isoformat(),
        **on_record(decision),
    }
    return Step(
        to=State.APPROVED,
        event=EventKind.GLASS_BROKEN,
        facts=facts,
        private={"reason": breaking.reason.strip(), **basis(decision)},
        changes={"approved_by": ApprovedBy.NOBODY.value},
        by=breaking.breaker.id,
    )


def _attempt(breaking: Breaking) -> Attempt:
    by = breaking.breaker.id
    return Attempt(kind=EventKind.GLASS_REFUSED, invocation_id=breaking.invocation_id, by=by, facts={"by": by})
