"""What is known of one call, and what it counts for; pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from connectors.sdk.errors import Unavailable as UpstreamUnavailable
from hub.budgets import OutOfReach, OverBudget, RunOver
from hub.invocations.braking import Stopped
from hub.invocations.states import DONE, State
from hub.invocations.values import ApprovedBy
from hub.metrics.definitions import WORDS_PER_MINUTE, Count
from hub.metrics.values import Entry, group_decider, person_decider

_TURNED_AWAY: Final = frozenset({State.DENIED, State.PREVIEW_FAILED})
_WRONG: Final = _TURNED_AWAY | {State.REJECTED, State.DIVERGED, State.UNDONE, State.PARTIAL}
_DOUBTFUL: Final = frozenset({State.IN_DOUBT, State.NOT_APPLIED, State.RESOLVED_BY_HUMAN})
_EXECUTED: Final = frozenset({State.SUCCEEDED, State.FAILED})
"""Of reads: the connector was asked."""
_HOLDS_UP: Final = frozenset({OverBudget.code, OutOfReach.code, RunOver.code, Stopped.code, UpstreamUnavailable.code})


class Ending(StrEnum):
    """How people ended a question."""

    APPROVED = "approved"
    REJECTED = "rejected"
    REPLACED = "replaced"
    """By a counter-proposal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CastVote:
    """One vote of a person; `since` is the earliest moment from which it can have been read up."""

    voter_id: str
    groups: frozenset[str]
    since: datetime
    cast_at: datetime
    words: int

    @property
    def is_hasty(self) -> bool:
        """Whether there was less time than reading takes."""
        return self.cast_at - self.since < reading_time(self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question to people, and how they ended it; one that nobody decided has no ending."""

    groups: frozenset[str]
    people: frozenset[str]
    """Who voted on it, or replaced it."""
    opened_at: datetime
    ending: Ending | None
    ended_at: datetime | None
    votes: tuple[CastVote, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one call costs, as its operation declares it."""

    amount: int
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What numbers need to know of one call, or of several reads that are alike in all of it."""

    state: State
    is_read: bool
    by_agent: bool
    is_part: bool = False
    """A step of a plan, or what takes one back."""
    is_undo: bool = False
    is_plan: bool = False
    approved_by: ApprovedBy | None = None
    was_sent: bool = False
    error_code: str | None = None
    was_in_doubt: bool = False
    was_undone: bool = False
    """Or a step of it was."""
    step_diverged: bool = False
    cost: Cost | None = None
    case_key: str | None = None
    asked: tuple[Asked, ...] = ()


def reading_time(words: int) -> timedelta:
    """Return how long reading so many words takes at least."""
    return timedelta(minutes=words / WORDS_PER_MINUTE)


def entries_of(call: CallFacts) -> Iterator[tuple[str, Entry, int]]:
    """Yield what one call counts for, and how much: for all, for each group that was asked, for each who decided."""
    own = [*_of_agent(call), *_of_decision(call), *_of_commit(call), *_of_case(call)]
    found = [("", entry, 1) for entry in [*own, *_of_questions(call.asked, _votes(call.asked))]]
    for group in sorted({group for one in call.asked for group in one.groups}):
        theirs = [one for one in call.asked if group in one.groups]
        votes = [vote for vote in _votes(theirs) if group in vote.groups]
        found += [(group_decider(group), entry, 1) for entry in [*own, *_of_questions(theirs, votes)]]
    for person in sorted({person for one in call.asked for person in one.people}):
        theirs = [one for one in call.asked if person in one.people]
        votes = [vote for vote in _votes(theirs) if vote.voter_id == person]
        found += [(person_decider(person), entry, 1) for entry in [*own, *_of_questions(theirs, votes)]]
    yield from found
    for decider in dict.fromkeys(["", *(decider for decider, _, _ in found)]):
        yield from ((decider, entry, amount) for entry, amount in _of_cost(call))


def _of_agent(call: CallFacts) -> Iterator[Entry]:
    if not call.by_agent or call.is_part or call.is_undo or not call.state.is_terminal or _is_held_up(call):
        return
    yield Entry(count=Count.CALLS)
    is_corrected = call.was_undone or call.step_diverged or Ending.REPLACED in _endings(call)
    if call.state not in _WRONG and not is_corrected:
        yield Entry(count=Count.ACCURATE)


def _is_held_up(call: CallFacts) -> bool:
    """Return whether it went no further for reasons that say nothing about it: a limit, a switch, a system away."""
    return call.state in _TURNED_AWAY and call.error_code in _HOLDS_UP


def _of_decision(call: CallFacts) -> Iterator[Entry]:
    is_let_go = call.approved_by is not None and call.approved_by is not ApprovedBy.PLAN
    if not call.is_read and (is_let_go or call.asked):
        yield Entry(count=Count.SETTLED)
    endings = _endings(call)
    if endings:
        yield Entry(count=Count.DECIDED)
    if Ending.REPLACED in endings:
        yield Entry(count=Count.EDITED)
    if Ending.REJECTED in endings:
        yield Entry(count=Count.REJECTED)


def _endings(call: CallFacts) -> set[Ending]:
    return {one.ending for one in call.asked if one.ending is not None}


def _of_questions(asked: Iterable[Asked], votes: Iterable[CastVote]) -> Iterator[Entry]:
    for one in asked:
        if one.ended_at is not None:
            yield Entry(count=Count.WAIT, seconds=int((one.ended_at - one.opened_at).total_seconds()))
    for vote in votes:
        yield Entry(count=Count.VOTES)
        if vote.is_hasty:
            yield Entry(count=Count.HASTY)


def _votes(asked: Iterable[Asked]) -> list[CastVote]:
    return [vote for one in asked for vote in one.votes]


def _of_commit(call: CallFacts) -> Iterator[Entry]:
    if call.is_read or call.is_plan:
        return
    if call.was_sent:
        yield Entry(count=Count.SENT)
        if call.was_in_doubt or call.state in _DOUBTFUL:
            yield Entry(count=Count.DOUBTED)
    if _has_happened(call) and not call.is_undo:
        yield Entry(count=Count.COMMITTED)
        if call.was_undone:
            yield Entry(count=Count.UNDONE)
    if call.state in {State.VERIFIED, State.DIVERGED}:
        yield Entry(count=Count.COMPARED)
    if call.state is State.DIVERGED:
        yield Entry(count=Count.DIVERGED)


def _has_happened(call: CallFacts) -> bool:
    return call.state in DONE or (call.state is State.RESOLVED_BY_HUMAN and call.error_code is None)


def _of_case(call: CallFacts) -> Iterator[Entry]:
    if call.case_key is not None:
        yield Entry(count=Count.CASE, case_key=call.case_key)


def _of_cost(call: CallFacts) -> Iterator[tuple[Entry, int]]:
    reached_a_system = call.state in _EXECUTED if call.is_read else call.was_sent and not call.is_plan
    if call.cost is None or not reached_a_system:
        return
    yield Entry(count=Count.COST, unit=call.cost.unit), call.cost.amount
    if call.case_key is not None:
        yield Entry(count=Count.CASE_COST, unit=call.cost.unit, case_key=call.case_key), call.cost.amount
