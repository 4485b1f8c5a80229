"""The rules of approval, pure: who may vote on a question, and where its votes leave it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    stage: int = 1
    """The stage that was asked when the vote was cast; it counts there and nowhere else."""
    for_id: str | None = None
    """In whose place it was cast; None: in the voter's own."""
    carried_from: str | None = None
    """The digest it was cast on, where policy let it count for a newer preview as well."""


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
    """Votes are missing in `stage`: how many of whom, by the `group` of the obligation."""

    missing: Mapping[str, int]
    stage: int = 1


Standing = Granted | Rejected | Waiting


def standing(obligations: Sequence[Obligation], votes: Iterable[Vote]) -> Standing:
    """Return where `votes` leave a question that asks for `obligations`.

    Stages are met one after the other, each by the votes cast while it was asked. Nobody counts twice: not in two
    stages, and a person who is in two groups fills one seat. A seat goes to whoever leaves the most seats filled, so
    the order in which people vote does not matter.
    """
    cast = sorted(votes, key=lambda vote: (vote.cast_at, vote.voter_id))
    for vote in cast:
        if vote.choice is Choice.REJECT:
            return Rejected(by=vote.voter_id, reason=vote.reason)
    counted = list(_one_each(cast))
    for stage in stages(obligations):
        seats = [one for one in obligations if one.stage == stage for _ in range(one.count)]
        empty = unfilled(seats, [vote.groups for vote in counted if vote.stage == stage])
        if empty:
            return Waiting(missing={group: empty.count(group) for group in dict.fromkeys(empty)}, stage=stage)
    return Granted()


def _one_each(cast: Iterable[Vote]) -> Iterator[Vote]:
    """Yield the votes behind which nobody stands who has voted before, themselves or by a deputy."""
    counted = set[str]()
    for vote in cast:
        behind = {vote.voter_id, vote.for_id or vote.voter_id}
        if not behind & counted:
            yield vote
        counted |= behind


def stages(obligations: Iterable[Obligation]) -> list[int]:
    """Return the stages, in the order in which they are asked."""
    return sorted({one.stage for one in obligations})


def unfilled(seats: Sequence[Obligation], voters: Sequence[frozenset[str]]) -> list[str]:
    """Return whom the seats ask that no matching of distinct voters can fill (augmenting paths)."""
    seated: dict[int, int] = {}  # seat -> voter

    def find_seat(voter: int, tried: set[int]) -> bool:
        for seat, asked in enumerate(seats):
            if not asked.admits(voters[voter]) or seat in tried:
                continue
            tried.add(seat)
            if seat not in seated or find_seat(seated[seat], tried):
                seated[seat] = voter
                return True
        return False

    for voter in range(len(voters)):
        find_seat(voter, set())
    return [asked.group for seat, asked in enumerate(seats) if seat not in seated]


def asked_in(obligations: Iterable[Obligation], stage: int) -> tuple[Obligation, ...]:
    """Return what is asked in one stage."""
    return tuple(one for one in obligations if one.stage == stage)


def asked_groups(obligations: Iterable[Obligation]) -> frozenset[str]:
    """Return the groups that are named."""
    return frozenset(group for one in obligations for group in one.groups)


def asks_requester(obligations: Iterable[Obligation]) -> bool:
    """Return whether it is the person for whom the agent acts who is asked, and nobody else."""
    return any(one.is_confirmation for one in obligations)


def told_groups(obligations: Iterable[Obligation]) -> frozenset[str]:
    """Return the groups that are told when most of the time is over."""
    return frozenset(group for one in obligations for group in one.escalate)


def in_words(obligations: Sequence[Obligation], missing: Mapping[str, int]) -> str:
    """Return who is missing, as a sentence says it: "1 of finance and 2 of legal or compliance"."""
    asked = {one.group: one for one in obligations}
    return " and ".join(
        asked[group].whom if asked[group].is_confirmation else f"{count} of {asked[group].whom}"
        for group, count in missing.items()
    )


def login_is_fresh(obligations: Iterable[Obligation], *, authenticated_at: datetime, at: datetime) -> bool:
    """Return whether a login at `authenticated_at` is young enough for every rule that asks for a fresh one."""
    limits = [one.fresh_seconds for one in obligations if one.fresh_seconds is not None]
    return not limits or at - authenticated_at <= timedelta(seconds=min(limits))
