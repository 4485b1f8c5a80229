"""Casting a vote: every reason to refuse it is checked here, on the record, in the transaction that counts it."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from hub.approvals.mandates import Mandate, mandate_of
from hub.approvals.questions import Question, latest, open_stage
from hub.approvals.rules import Choice, Vote, login_is_fresh
from hub.approvals.tables import QuestionRow, VoteRow
from hub.core.errors import ChangedSinceSeen, Conflict, FreshLoginNeeded, InputError, NotFound
from hub.core.ids import new_id
from hub.identity.principals import Principal
from hub.storage import Tx, now

LONGEST_REASON = 2000


class Way(StrEnum):
    """How a vote came: from somebody who is logged in here, or from an account elsewhere that speaks for them."""

    LOGIN = "login"
    SLACK = "slack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """What a voter hands in: the digest that the page showed, the choice and the reason."""

    invocation_id: str
    digest: str
    choice: Choice
    reason: str
    voter: Principal
    authenticated_at: datetime
    way: Way = Way.LOGIN


async def cast(tx: Tx, ballot: Ballot) -> tuple[Question, Mandate]:
    """Count `ballot` on the newest question of its invocation; return it with this vote, and as whom it was cast.

    The caller holds the invocation: a question is locked after the invocation it is about, never before.

    Raises:
        ChangedSinceSeen: the ballot is for something else than what is asked now.
        Conflict: the question is closed or its time is up, or the voter has voted.
        Forbidden: the voter takes part in the call, or no rule asks the voter's groups.
        FreshLoginNeeded: a rule wants a younger login.
        InputError: a rejection without a reason, or a reason that is too long.
        NotFound: nothing was asked about this invocation.
    """
    question, mandate = await admit(tx, ballot)
    stage = question.stage
    vote = Vote(
        voter_id=ballot.voter.id,
        for_id=mandate.for_id,
        groups=mandate.groups,
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
    return counted, mandate


async def admit(tx: Tx, ballot: Ballot) -> tuple[Question, Mandate]:
    """Return the question that `ballot` is about, held until `tx` ends, and as whom its voter may speak.

    Raises:
        HubError: everything that `cast` refuses.
    """
    question = await _locked(tx, ballot.invocation_id)
    at = await now(tx)
    mandate = await mandate_of(tx, question, ballot.voter)
    if ballot.digest != question.digest:
        raise ChangedSinceSeen("This has changed since you looked. Read the new preview before you decide.")
    if not question.is_open or question.expires_at <= at:
        raise Conflict("This question is closed; no more votes are counted.")
    if not login_is_fresh(question.obligations, authenticated_at=ballot.authenticated_at, at=at):
        raise FreshLoginNeeded("This decision needs a fresh login. Enter your password again, then decide.")
    if ballot.way is not Way.LOGIN and not question.may_be_decided_elsewhere:
        raise FreshLoginNeeded("This is decided on its page only, where you log in. Nothing was decided.")
    _check_reason(ballot)
    return question, mandate


async def _locked(tx: Tx, invocation_id: str) -> Question:
    """Return the newest question, once no other vote on the invocation can be under way."""
    asked = select(QuestionRow.digest).where(QuestionRow.invocation_id == invocation_id)
    await tx.execute(asked.with_for_update())
    question = await latest(tx, invocation_id)
    if question is None:
        raise NotFound("Nothing is being asked about this invocation.")
    return question


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
            for_id=vote.for_id,
            counts_as=vote.for_id or vote.voter_id,
            stage=vote.stage,
            groups=sorted(vote.groups),
            decision=vote.choice.value,
            reason=vote.reason,
            cast_at=vote.cast_at,
            authenticated_at=vote.authenticated_at,
        )
    )
    await tx.flush()
