"""Voting: a ballot is counted, and what it decides happens, in one transaction; a refused one is on record too."""

from typing import Final

from hub import approvals
from hub.approvals import Ballot, Choice, Mandate
from hub.audit import EventKind
from hub.core.errors import ChangedSinceSeen, HubError
from hub.dryrun import drift, of_revision
from hub.invocations.approve import call_for
from hub.invocations.decisions import basis, decide_on_mandate, on_record
from hub.invocations.granting import take_back_like
from hub.invocations.journal import Step, announce, hold, load, move, record_event
from hub.invocations.overtaking import refuse_overtaken
from hub.invocations.refusals import Attempt, record_refusal
from hub.invocations.refuse import NotByPolicy
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tally import decided
from hub.invocations.values import Invocation
from hub.policy import Decision, Denied
from hub.registry import read_current
from hub.storage import Tx

EXAMPLE_REJECTED: Final = "The call that it was made from was rejected."


async def vote(ballot: Ballot, runtime: Runtime) -> Invocation:
    """Count `ballot`, and return how the invocation stands after it.

    Raises:
        ChangedSinceSeen: the ballot is for an older preview; the message says what is different now.
        Conflict: the question is closed or overtaken, or the voter has voted.
        Forbidden: the voter takes part in the call or is not asked.
        FreshLoginNeeded: a rule wants a younger login.
        NotFound: nothing is asked about this invocation.
    """
    try:
        async with runtime.database.transaction() as tx:
            return await _count(tx, ballot, runtime)
    except HubError as refusal:
        await record_refusal(attempt_to_vote(ballot, ballot.choice.value), refusal, runtime)
        if isinstance(refusal, ChangedSinceSeen):
            raise await _with_difference(ballot, refusal, runtime) from refusal
        raise


async def _count(tx: Tx, ballot: Ballot, runtime: Runtime) -> Invocation:
    await hold(tx, ballot.invocation_id)  # before its question: the lock order of the journal
    question, mandate = await approvals.cast(tx, ballot)
    standing = await load(tx, ballot.invocation_id)
    decision = await opinion(tx, mandate, standing, runtime)
    if ballot.choice is Choice.APPROVE:  # whom it lets say no is not its business, and a no ends it either way
        refuse_denied(decision)
        await refuse_overtaken(tx, standing, public_url=runtime.public_url)
    counted = question.votes[-1]
    facts = {
        **on_record(decision),
        "voter": ballot.voter.id,
        "choice": ballot.choice.value,
        "way": ballot.way.value,
        "approval_digest": ballot.digest,
        "in_place_of": mandate.for_id,
        "stage": counted.stage,
        "groups": sorted(counted.groups),
        "authenticated_at": ballot.authenticated_at.isoformat(),
    }
    cast = Step(
        to=standing.state,
        event=EventKind.VOTE_CAST,
        facts=facts,
        private={"reason": ballot.reason, **basis(decision)},
        by=ballot.voter.id,
    )
    await record_event(tx, runtime, standing, cast)
    step = decided(question)
    if step is not None:
        if step.to is State.REJECTED:
            await take_back_like(tx, standing.id, EXAMPLE_REJECTED, by=ballot.voter.id, runtime=runtime)
        return await move(tx, runtime, standing, step)
    if question.stage != counted.stage:
        await call_for(tx, question)
    await announce(tx, runtime, standing.id)
    return await load(tx, standing.id)


async def opinion(tx: Tx, mandate: Mandate, standing: Invocation, runtime: Runtime) -> Decision:
    """Return what policy says of somebody approving `standing` with this mandate."""
    tool = await read_current(
        tx,
        standing.tool_version_id,
        standing.connection_id,
        server=standing.server,
        name=standing.tool_name,
    )
    return await decide_on_mandate(tx, mandate, standing, tool, runtime)


async def why_not_approve(tx: Tx, mandate: Mandate, standing: Invocation, runtime: Runtime) -> str:
    """Return why an approval with this mandate would be refused if it were given now; empty if policy lets it pass."""
    try:
        refuse_denied(await opinion(tx, mandate, standing, runtime))
    except HubError as refusal:
        return refusal.message
    return ""


def refuse_denied(decision: Decision) -> None:
    """Let nobody approve, or propose something else, whom policy does not.

    Raises:
        Forbidden: it does not allow the voter to approve.
    """
    if isinstance(decision, Denied):
        raise NotByPolicy("Policy does not let you approve this.", decision)


def attempt_to_vote(ballot: Ballot, choice: str) -> Attempt:
    """Return a ballot as it stands on record where it was not counted."""
    facts = {"voter": ballot.voter.id, "choice": choice}
    return Attempt(kind=EventKind.VOTE_REFUSED, invocation_id=ballot.invocation_id, by=ballot.voter.id, facts=facts)


async def _with_difference(ballot: Ballot, refusal: ChangedSinceSeen, runtime: Runtime) -> ChangedSinceSeen:
    """Return the refusal with what is different from what the voter saw, if it ever was on a page."""
    async with runtime.database.reading() as tx:
        seen = await approvals.by_digest(tx, ballot.digest)
        standing = await load(tx, ballot.invocation_id)
        if seen is None or seen.invocation_id != standing.id or standing.preview is None:
            return refusal
        then = await of_revision(tx, standing.id, seen.revision)
    lines = drift(then.preview, standing.preview.preview) if then else ()
    return ChangedSinceSeen(" ".join((refusal.message, *(f"{line}." for line in lines))))
