"""The rules of approval, pure: who may vote on a question, and where its votes leave it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hub.policy import Obligation


class Choice(StrEnum):
    """What a voter says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's vote, with the groups the person was in when casting it."""

    voter_id: str
    groups: frozenset[str]
    choice: Choice
    reason: str
    cast_at: datetime
    authenticated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Every obligation is met by distinct people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Somebody said no; one veto is enough."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Votes are missing: how many from which group."""

    missing: Mapping[str, int]


Standing = Granted | Rejected | Waiting


def standing(obligations: Sequence[Obligation], votes: Iterable[Vote]) -> Standing:
    """Return where `votes` leave a question that asks for `obligations`.

    Nobody counts twice: a person who is in two groups fills one seat. A seat goes to whoever leaves the most seats
    filled, so the order in which people vote does not matter.
    """
    cast = sorted(votes, key=lambda vote: (vote.cast_at, vote.voter_id))
    for vote in cast:
        if vote.choice is Choice.REJECT:
            return Rejected(by=vote.voter_id, reason=vote.reason)
    seats = [one.group for one in obligations for _ in range(one.count)]
    empty = _unfilled(seats, [vote.groups for vote in cast])
    if not empty:
        return Granted()
    return Waiting(missing={group: empty.count(group) for group in dict.fromkeys(empty)})


def _unfilled(seats: Sequence[str], voters: Sequence[frozenset[str]]) -> list[str]:
    """Return the groups of the seats that no matching of distinct voters can fill (augmenting paths)."""
    seated: dict[int, int] = {}  # seat -> voter

    def find_seat(voter: int, tried: set[int]) -> bool:
        for seat, group in enumerate(seats):
            if group not in voters[voter] or seat in tried:
                continue
            tried.add(seat)
            if seat not in seated or find_seat(seated[seat], tried):
                seated[seat] = voter
                return True
        return False

    for voter in range(len(voters)):
        find_seat(voter, set())
    return [group for seat, group in enumerate(seats) if seat not in seated]


def asked_groups(obligations: Iterable[Obligation]) -> frozenset[str]:
    """Return the groups that may vote."""
    return frozenset(one.group for one in obligations)


def login_is_fresh(obligations: Iterable[Obligation], *, authenticated_at: datetime, at: datetime) -> bool:
    """Return whether a login at `authenticated_at` is young enough for every rule that asks for a fresh one."""
    limits = [one.fresh_seconds for one in obligations if one.fresh_seconds is not None]
    return not limits or at - authenticated_at <= timedelta(seconds=min(limits))
