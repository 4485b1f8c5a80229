"""Values of budgets: limits, what a call demands of them, and the refusal that says which limit and until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from hub.core.errors import HubError, TooMany
from hub.core.money import minor_digits, money

BRAKES_CHANNEL: Final = "brakes"
"""Signalled when a limit or a switch has been set or lifted."""


class Per(StrEnum):
    """Of whom a limit counts."""

    AGENT = "agent"
    USER = "user"
    TOOL = "tool"
    SERVER = "server"
    RUN = "run"


class Measure(StrEnum):
    """What a limit counts: calls, writes that are sent, money that they move, what calls cost; within a window.

    `AT_ONCE` counts the calls that are under way at the same moment, `TIME` how many seconds a run may last; these
    two have no window.
    """

    CALLS = "calls"
    WRITES = "writes"
    MONEY = "money"
    COST = "cost"
    AT_ONCE = "at_once"
    TIME = "time"

    @property
    def has_window(self) -> bool:
        """Whether it is counted within windows that follow one another."""
        return self not in {Measure.AT_ONCE, Measure.TIME}

    @property
    def has_unit(self) -> bool:
        """Whether amounts of it are told in some unit."""
        return self in {Measure.MONEY, Measure.COST}


_UNITS: Final = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `amount` of `measure` for one subject within a window of `seconds`; `subject` empty: for each one.

    `unit` is the currency of money, in minor units, or what a cost is told in. Windows follow one another from 1970
    on in UTC: of a day from midnight to midnight. So up to twice the amount may pass around the end of one.
    """

    id: str
    per: Per
    subject: str
    measure: Measure
    unit: str
    amount: int
    seconds: int

    def began(self, at: datetime) -> int:
        """Return when the window at `at` began, in seconds since 1970."""
        return int(at.timestamp()) // self.seconds * self.seconds

    def frees(self, at: datetime) -> datetime:
        """Return when the next window begins."""
        return datetime.fromtimestamp(self.began(at) + self.seconds, UTC)

    @property
    def words(self) -> str:
        """What it allows, in words."""
        whose, figure = f"{'this' if self.subject else 'one'} {self.per}", self.figure(self.amount)
        if self.measure is Measure.AT_ONCE:
            return f"{figure} {'call' if self.amount == 1 else 'calls'} at the same time for {whose}"
        if self.measure is Measure.TIME:
            return f"{figure} from its first call on for {whose}"
        counted = self.measure.value.removesuffix("s") if self.amount == 1 else self.measure.value
        what = f"{figure} of {self.measure}" if self.measure.has_unit else f"{figure} {counted}"
        return f"{what} in {_length(self.seconds)} for {whose}"

    def figure(self, amount: int) -> str:
        """Return so much of what it counts, in words; of a cost in a currency as of money."""
        if self.measure is Measure.TIME:
            return _length(amount)
        if self.measure is Measure.MONEY or (self.measure is Measure.COST and minor_digits(self.unit) is not None):
            return money(amount, self.unit)
        return f"{amount:,} {self.unit}".rstrip()


def _length(seconds: int) -> str:
    """Return a length of time in words: in the largest unit that it is a whole number of."""
    if not seconds:
        return "no time"
    unit, length = next((unit, length) for unit, length in _UNITS.items() if seconds % length == 0)
    count = seconds // length
    return f"{'an' if unit == 'hour' else 'a'} {unit}" if count == 1 else f"{count:,} {unit}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one call asks of limits: whose it is, and how much of each measure and unit."""

    subjects: Mapping[Per, str]
    amounts: Mapping[tuple[Measure, str], int]

    def of(self, limit: Limit) -> int | None:
        """Return how much the call takes of `limit`; None: it does not apply to it."""
        subject = self.subjects.get(limit.per)
        if subject is None or limit.subject not in {"", subject}:
            return None
        return self.amounts.get((limit.measure, limit.unit))


class OverBudget(TooMany):
    """A limit is used up, or too little of it is left; the message says which, and when it frees."""

    def __init__(self, limit: Limit, at: datetime) -> None:
        self.limit = limit
        self.frees_at = limit.frees(at)
        seconds = max(1, int((self.frees_at - at).total_seconds()) + 1)
        told = f"It frees at {self.frees_at:%Y-%m-%d %H:%M:%S}Z, in {seconds} seconds."
        super().__init__(f"A limit is reached: {limit.words}. {told}", retry_after_seconds=seconds)


class NoPlace(OverBudget):
    """As many calls are under way as a limit allows; one of them must end first, and nobody knows when."""

    def __init__(self, limit: Limit, at: datetime, *, seconds: int) -> None:
        self.limit = limit
        self.frees_at = at + timedelta(seconds=seconds)
        told = f"One of them must end first; try again in {seconds} seconds."
        TooMany.__init__(self, f"A limit is reached: {limit.words}. {told}", retry_after_seconds=seconds)


class RunOver(HubError):
    """A run has lasted as long as it may; trying again does not help it."""

    code = "run_over"

    def __init__(self, limit: Limit, began: datetime) -> None:
        self.limit = limit
        super().__init__(
            f"The time of this run is over: {limit.words}, and that was at {began:%Y-%m-%d %H:%M:%S}Z."
            " What is left to do belongs to another run."
        )
