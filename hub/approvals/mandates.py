"""Mandates: whether somebody may vote on a question now, in their own right or in the place of somebody who is away."""

from dataclasses import dataclass, replace

from hub.approvals.deputies import stands_in_for
from hub.approvals.questions import Question
from hub.approvals.rules import Vote, asked_groups, asked_in, asks_requester, stages, told_groups
from hub.core.errors import Conflict, Forbidden
from hub.identity.principals import Principal, PrincipalKind
from hub.policy import REQUESTER
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Mandate:
    """Who votes, and whose place is taken: their own, or that of an absent person."""

    voter: Principal
    counts_as: Principal
    groups: frozenset[str]
    """For which of the groups that are asked."""

    @property
    def for_id(self) -> str | None:
        """Return in whose place the voter votes; None: in their own."""
        return None if self.counts_as.id == self.voter.id else self.counts_as.id


async def mandate_of(tx: Tx, question: Question, person: Principal) -> Mandate:
    """Return as whom `person` may vote on the stage that is asked now: in their own right before any other.

    Raises:
        Conflict: the person has voted, or a deputy has in their place.
        Forbidden: the person takes part in the call, or is not asked.
    """
    if person.kind is not PrincipalKind.USER or person.is_suspended:
        raise Forbidden("Only a person with an active account may vote.")
    asked = asked_in(question.obligations, question.stage)
    if asks_requester(asked):
        return _confirming(question, person)
    if person.id in question.excluded:
        raise Forbidden("You take part in this call yourself; somebody else must decide it.")
    if any(vote.voter_id == person.id for vote in question.votes):
        raise Conflict("You have already voted on this.")
    if any(vote.for_id == person.id for vote in question.votes):
        raise Conflict("Your deputy has already voted on this in your place.")
    for one in (person, *await stands_in_for(tx, person)):
        if _is_free(one, question) and any(each.admits(one.groups) for each in asked):
            return Mandate(voter=person, counts_as=one, groups=one.groups & asked_groups(asked))
    after = " now; others are asked after them" if question.stage < max(stages(question.obligations)) else ""
    raise Forbidden(f"Only {' and '.join(one.whom for one in asked)} may decide this{after}.")


def _confirming(question: Question, person: Principal) -> Mandate:
    """Return the mandate of the requester itself, whose place nobody takes: no deputy, and no group."""
    if person.id != question.confirmer_id:
        raise Forbidden("Only the person it is done for may confirm it; who else is asked, is asked after that.")
    if any(vote.voter_id == person.id for vote in question.votes):
        raise Conflict("You have already answered this.")
    return Mandate(voter=person, counts_as=person, groups=frozenset({REQUESTER}))


async def is_asked(tx: Tx, person: Principal, question: Question) -> bool:
    """Return whether a rule asks the person or somebody it stands in for, at whatever stage, or it has voted."""
    if person.is_suspended:
        return False
    if any(person.id in people_of(vote) for vote in question.votes):
        return True
    if any(one.admits(person.groups) for one in question.obligations):
        return True
    absent = await stands_in_for(tx, person)
    return any(one.admits(each.groups) for one in question.obligations for each in absent)


async def may_look(tx: Tx, person: Principal, question: Question) -> bool:
    """Return whether the person is asked, or was told; more than may vote."""
    return _was_told(person, question) or await is_asked(tx, person, question)


async def is_deciding(tx: Tx, person: Principal, question: Question) -> bool:
    """Return whether the person has a part in the decision: it has voted, or may vote now; fewer than may look."""
    if any(person.id in people_of(vote) for vote in question.votes):
        return True
    try:
        await mandate_of(tx, question, person)
    except (Conflict, Forbidden):
        return False
    return question.is_open


def _was_told(person: Principal, question: Question) -> bool:
    """Return whether the question was escalated to the person: it may look, and votes only where a rule asks it."""
    is_told = person.id in question.told_people or bool(person.groups & told_groups(question.obligations))
    return question.escalated_at is not None and is_told and not person.is_suspended


def people_of(vote: Vote) -> frozenset[str]:
    """Return who is behind a vote: whoever cast it, and in whose place."""
    return frozenset(one for one in (vote.voter_id, vote.for_id) if one is not None)


def _is_free(one: Principal, question: Question) -> bool:
    """Return whether somebody's place may be taken: the absent are bound by what binds those who are there."""
    return one.id not in question.excluded and not any(one.id in people_of(vote) for vote in question.votes)


def acting(voter: Principal, counts_as: Principal) -> Principal:
    """Return the voter as policy sees it: with the groups of the person in whose place it votes, and its own."""
    return replace(voter, groups=voter.groups | counts_as.groups)
