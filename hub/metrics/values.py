"""What is counted: where a call stands in the numbers, and a tally that can be added up."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hub.metrics.definitions import Count

GROUP = "group:"
PERSON = "person:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The dimensions of one number; `decider` is empty, or names a group or a person."""

    day: date
    agent_id: str
    environment: str
    tool_id: str
    centre_id: str
    decider: str = ""

    def seen_by(self, decider: str) -> "Place":
        """Return the place where the same call is counted for a group or a person."""
        return replace(self, decider=decider)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is counted there; a cost has a unit, a case its key, a wait its seconds."""

    count: Count
    unit: str = ""
    case_key: str = ""
    seconds: int = 0


Tally = Counter[tuple[Place, Entry]]
"""How often each entry was counted in each place."""


def group_decider(group: str) -> str:
    """Return how the calls that a group was asked about are found."""
    return f"{GROUP}{group}"


def person_decider(person_id: str) -> str:
    """Return how the calls that a person decided on are found."""
    return f"{PERSON}{person_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From one moment to just before another, within one UTC day; what is None is not narrowed.

    It may hold more of the calls than are asked for, never fewer: sums choose among what was counted.
    """

    begins: datetime
    ends: datetime
    agent_id: str | None = None
    tool_ids: frozenset[str] | None = None
    person_id: str | None = None
    """Only calls that this person voted on or proposed other arguments for."""

    @property
    def day(self) -> date:
        """The day it lies in."""
        return self.begins.astimezone(UTC).date()

    def split(self, moments: Iterable[datetime]) -> list["Window"]:
        """Return it cut at those of the moments that lie in it."""
        cuts = sorted({one for one in moments if self.begins < one < self.ends})
        edges = [self.begins, *cuts, self.ends]
        return [replace(self, begins=begins, ends=ends) for begins, ends in pairwise(edges)]


def window_of(day: date, agent_id: str | None = None) -> Window:
    """Return the whole of one UTC day."""
    return Window(begins=begin_of(day), ends=begin_of(day + timedelta(days=1)), agent_id=agent_id)


def begin_of(day: date) -> datetime:
    """Return the first moment of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
