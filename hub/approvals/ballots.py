"""Casting a vote: every reason to refuse it is checked here, on the record, in the transaction that counts it."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select

from hub.approvals.questions import Question, latest, open_stage
from hub.approvals.rules import Choice, Vote, asked_groups, asked_in, login_is_fresh, stages
from hub.approvals.tables import QuestionRow, VoteRow
from hub.core.errors import ChangedSinceSeen, Conflict, Forbidden, FreshLoginNeeded, InputError, NotFound
from hub.core.ids import new_id
from hub.identity.principals import Principal, PrincipalKind
from hub.storage import Tx, now

LONGEST_REASON = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What a voter hands in: the digest that the page showed, the choice and the reason."""

    invocation_id: str
    digest: str
    choice: Choice
    reason: str
    voter: Principal
    authenticated_at: datetime


async def cast(tx: Tx, ballot: Ballot) -> Question:
    """Count `ballot` on the newest question of its invocation, and return the question with this vote on it.

    The caller holds the invocation: a question is locked after the invocation it is about, never before.

    Raises:
        ChangedSinceSeen: the ballot is for something else than what is asked now.
        Conflict: the question is closed or its time is up, or the voter has voted.
        Forbidden: the voter takes part in the call, or no rule asks the voter's groups.
        FreshLoginNeeded: a rule wants a younger login.
        InputError: a rejection without a reason, or a reason that is too long.
        NotFound: nothing was asked about this invocation.
    """
    question, groups = await admit(tx, ballot)
    stage = question.stage
    vote = Vote(
        voter_id=ballot.voter.id,
        groups=groups,
        stage=stage,
        choice=ballot.choice,
        reason=ballot.reason.strip(),
        cast_at=await now(tx),
        authenticated_at=ballot.authenticated_at,
    )
    await _record(tx, question, vote)
    counted = replace(question, votes=(*question.votes, vote))
    if counted.stage != stage:
        await open_stage(tx, question.digest, counted.stage)
    return counted


async def admit(tx: Tx, ballot: Ballot) -> tuple[Question, frozenset[str]]:
    """Return the question that `ballot` is about, held until `tx` ends, and for which groups its voter may speak.

    Raises:
        HubError: everything that `cast` refuses.
    """
    question = await _locked(tx, ballot.invocation_id)
    at = await now(tx)
    _check_voter(question, ballot)
    if ballot.digest != question.digest:
        raise ChangedSinceSeen("This has changed since you looked. Read the new preview before you decide.")
    if not question.is_open or question.expires_at <= at:
        raise Conflict("This question is closed; no more votes are counted.")
    if not login_is_fresh(question.obligations, authenticated_at=ballot.authenticated_at, at=at):
        raise FreshLoginNeeded("This decision needs a fresh login. Enter your password again, then decide.")
    _check_reason(ballot)
    return question, ballot.voter.groups & asked_groups(asked_in(question.obligations, question.stage))


async def _locked(tx: Tx, invocation_id: str) -> Question:
    """Return the newest question, once no other vote on the invocation can be under way."""
    asked = select(QuestionRow.digest).where(QuestionRow.invocation_id == invocation_id)
    await tx.execute(asked.with_for_update())
    question = await latest(tx, invocation_id)
    if question is None:
        raise NotFound("Nothing is being asked about this invocation.")
    return question


def _check_voter(question: Question, ballot: Ballot) -> None:
    voter = ballot.voter
    if voter.kind is not PrincipalKind.USER or voter.is_suspended:
        raise Forbidden("Only a person with an active account may vote.")
    if voter.id in question.excluded:
        raise Forbidden("You take part in this call yourself; somebody else must decide it.")
    if any(vote.voter_id == voter.id for vote in question.votes):
        raise Conflict("You have already voted on this.")
    asked = asked_in(question.obligations, question.stage)
    if not any(one.admits(voter.groups) for one in asked):
        raise Forbidden(f"Only {' and '.join(one.whom for one in asked)} may decide this{_now(question)}.")


def _now(question: Question) -> str:
    return " now; others are asked after them" if question.stage < max(stages(question.obligations)) else ""


def _check_reason(ballot: Ballot) -> None:
    if ballot.choice is Choice.REJECT and not ballot.reason.strip():
        raise InputError("Say why you reject it; the reason goes back to the agent.")
    if len(ballot.reason) > LONGEST_REASON:
        raise InputError(f"The reason is longer than {LONGEST_REASON} characters; shorten it.")


async def _record(tx: Tx, question: Question, vote: Vote) -> None:
    tx.add(
        VoteRow(
            id=new_id("vote"),
            digest=question.digest,
            voter_id=vote.voter_id,
            stage=vote.stage,
            groups=sorted(vote.groups),
            decision=vote.choice.value,
            reason=vote.reason,
            cast_at=vote.cast_at,
            authenticated_at=vote.authenticated_at,
        )
    )
    await tx.flush()
