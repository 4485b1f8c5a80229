"""The answer to a question for numbers: stored days, days that are counted live, and what has not been counted yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from hub.metrics.counting import count
from hub.metrics.definitions import FEW, Count
from hub.metrics.labels import labels_of
from hub.metrics.measuring import Measured, Sums, measure
from hub.metrics.selection import Allowed, By, Of
from hub.metrics.stale import first_day
from hub.metrics.sums import Days, add_stored, voters_of
from hub.metrics.tables import ProgressRow
from hub.metrics.values import PERSON, Tally, Window, window_of
from hub.storage import Tx, now

LIVE_DAYS: Final = 2
"""How many days are counted while somebody waits: today, and yesterday until it has been rolled up."""
MOST_LINES: Final = 200
"""How many lines one answer has, those with the most calls and writes first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The metrics of what has one key, such as one agent; by nothing, the key is empty and the only one."""

    key: str
    label: str
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was asked for."""

    allowed: Allowed
    lines: tuple[Line, ...]
    left_off: int
    """How many lines were left off, because there were too many."""
    at: datetime
    uncounted: tuple[date, ...]
    """Days in question that the worker has not counted yet: their calls are missing."""


async def answer(tx: Tx, allowed: Allowed) -> Answer:
    """Return the numbers that were asked for, as far as they are known at this moment."""
    at, wanted = await now(tx), allowed.wanted
    today = at.astimezone(UTC).date()
    counted_until = await tx.scalar(select(ProgressRow.counted_until)) or await first_day(tx) or today
    live_from = max(counted_until, today - timedelta(days=LIVE_DAYS - 1))
    live = await _live(tx, allowed, _days(max(wanted.first, live_from), min(wanted.last, today)))
    stored = Days(first=wanted.first, end=min(wanted.last, counted_until - timedelta(days=1)) + timedelta(days=1))
    sums = await add_stored(tx, allowed, stored, live)
    if wanted.by is By.NOTHING:
        sums.setdefault("", Sums())  # one line there always is, if only to say that there is no data
    keys = sorted(sums, key=lambda key: _rank(wanted.by, key, sums[key]))
    shown = keys[:MOST_LINES]
    return Answer(
        allowed=allowed,
        lines=await _lines(tx, allowed, {key: sums[key] for key in shown}, await voters_of(tx, allowed, stored, live)),
        left_off=len(keys) - len(shown),
        at=at,
        uncounted=tuple(_days(max(wanted.first, counted_until), min(wanted.last, live_from - timedelta(days=1)))),
    )


async def _live(tx: Tx, allowed: Allowed, days: Sequence[date]) -> Tally:
    tally = Tally()
    for day in days:
        tally.update(await count(tx, _window(allowed, day)))
    return tally


def _window(allowed: Allowed, day: date) -> Window:
    """Return no more of a day than has to be counted: whoever may see little must not make the hub count all of it."""
    return replace(
        window_of(day, allowed.wanted.agent_id),
        tool_ids=allowed.tool_ids if allowed.of is Of.TOOLS else None,
        person_id=allowed.decider.removeprefix(PERSON) if allowed.of is Of.DECISIONS else None,
    )


async def _lines(tx: Tx, allowed: Allowed, sums: Mapping[str, Sums], voters: Mapping[str, int]) -> tuple[Line, ...]:
    labels = await labels_of(tx, allowed, list(sums))
    return tuple(
        Line(key=key, label=labels.get(key, key), measured=_measured(allowed, one, voters.get(key, 0)))
        for key, one in sums.items()
    )


def _measured(allowed: Allowed, sums: Sums, voters: int) -> tuple[Measured, ...]:
    """Return every metric; an owner of tools is not told how the votes of so few were cast that it may know whose."""
    hides_votes = allowed.of is Of.TOOLS and voters < FEW
    return tuple(one for one in measure(sums) if not (hides_votes and Count.VOTES in one.metric.counts))


def _rank(by: By, key: str, sums: Sums) -> tuple[int, str]:
    """Return where a line stands: days in their order, all else by how much there is of it."""
    weight = sums.counts[Count.CALLS] + sums.counts[Count.SETTLED] + sums.counts[Count.VOTES]
    return (0 if by is By.DAY else -weight, key)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
