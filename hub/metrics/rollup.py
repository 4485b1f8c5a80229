"""The roll-up: whole days are counted once, and again when something became of their calls later.

It can be thrown away and made anew, because it is counted from the records alone. One process is at it at a time: it
holds a lease with a fencing number, which each of its transactions renews, so that one that was taken for dead and
comes back writes nothing.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import CursorResult, Update, delete, insert, update

from hub.core.errors import Conflict
from hub.metrics.counting import count
from hub.metrics.stale import Day, days_moved, first_day
from hub.metrics.tables import CountedRow, ProgressRow
from hub.metrics.values import Tally, window_of
from hub.storage import Database, Tx, insert_into, now

LEASE: Final = timedelta(minutes=10)
OVERLAP: Final = timedelta(minutes=15)
"""How long before a look a transaction may have begun that it did not see."""
_ROWS_AT_ONCE: Final = 500
_ONE: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """What one pass has counted: whole days, and days of single agents of which something came later."""

    days: int
    corrected: int


async def roll_up(database: Database) -> Rolled:
    """Count every day that has ended and was not counted, and those parts of earlier days that have changed since.

    Raises:
        Conflict: another process is at it.
    """
    async with counting(database) as turn:
        missing = [] if turn.counted_until is None else days_between(turn.counted_until, turn.end)
        corrected = await _changed(database, turn)
        for one in corrected:
            await count_again(database, turn, one)
        for day in missing:
            await count_again(database, turn, Day(day=day), counted_until=day + timedelta(days=1))
        await _note(database, turn, seen_until=turn.at)
        return Rolled(days=len(missing), corrected=len(corrected))


async def recompute(database: Database, since: date) -> Rolled:
    """Count every day from `since` until yesterday anew, from the records; return how many those were.

    Raises:
        Conflict: another process is at it.
    """
    async with counting(database) as turn:
        days = list[date]()
        if turn.counted_until is not None:
            first = max(since, await _first(database, turn))
            days = days_between(min(first, turn.counted_until), turn.end)
        for day in days:
            await count_again(database, turn, Day(day=day))
        await _note(database, turn, seen_until=turn.seen_until or turn.at)
        return Rolled(days=len(days), corrected=0)


def days_between(first: date, end: date) -> list[date]:
    """Return the days from `first` until just before `end`."""
    return [first + timedelta(days=number) for number in range((end - first).days)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One process's turn at counting, by its fencing number; what was counted when it began."""

    fence: int
    at: datetime
    counted_until: date | None
    seen_until: datetime | None

    @property
    def end(self) -> date:
        """The first day that is not over for so long that every transaction of it has ended."""
        return (self.at - OVERLAP).date()


@asynccontextmanager
async def counting(database: Database) -> AsyncGenerator[Turn]:
    """Let this process count, and nobody else, until the block ends or this process is dead.

    Raises:
        Conflict: another process is at it.
    """
    turn = await _take_turn(database)
    try:
        yield turn
    finally:
        async with database.transaction() as tx:
            await tx.execute(_mine(turn).values(lease_until=await now(tx)))


async def _take_turn(database: Database) -> Turn:
    async with database.transaction() as tx:
        at = await now(tx)
        begun = insert_into(tx, ProgressRow).values(id=_ONE, fence=0, lease_until=at - LEASE)
        await tx.execute(begun.on_conflict_do_nothing(index_elements=["id"]))
        row = ProgressRow
        mine = update(row).where(row.id == _ONE, row.lease_until <= at)
        taken = mine.values(fence=row.fence + 1, lease_until=at + LEASE)
        found = (await tx.execute(taken.returning(row.fence, row.counted_until, row.seen_until))).one_or_none()
        if found is None:
            raise Conflict("Another process is counting. Try again in a few minutes.")
        until = found.counted_until or await first_day(tx)
        return Turn(fence=found.fence, at=at, counted_until=until, seen_until=found.seen_until)


async def _first(database: Database, turn: Turn) -> date:
    async with database.reading() as tx:
        return await first_day(tx) or turn.end


async def _changed(database: Database, turn: Turn) -> list[Day]:
    """Return what has changed of the days that were counted, as far as it is not known yet."""
    if turn.seen_until is None or turn.counted_until is None:
        return []
    async with database.reading() as tx:
        return await days_moved(tx, turn.seen_until - OVERLAP, before=turn.counted_until)


async def count_again(database: Database, turn: Turn, one: Day, **progress: date) -> None:
    """Put what is counted now of a day in the place of what was counted before.

    Raises:
        Conflict: another process has taken over; nothing was changed.
    """
    async with database.reading() as tx:
        tally = await count(tx, window_of(one.day, one.agent_id))
    async with database.transaction() as tx:
        await _renew(tx, turn, **progress)
        row = CountedRow
        mine = delete(row).where(row.day == one.day)
        await tx.execute(mine if one.agent_id is None else mine.where(row.agent_id == one.agent_id))
        values = list(stored_values(tally))
        for start in range(0, len(values), _ROWS_AT_ONCE):
            await tx.execute(insert(row), values[start : start + _ROWS_AT_ONCE])


async def _renew(tx: Tx, turn: Turn, **changes: Any) -> None:  # noqa: ANN401  # columns of one row
    at = await now(tx)
    renewed = _mine(turn).values({"lease_until": at + LEASE, **changes})
    done = cast("CursorResult[Any]", await tx.execute(renewed))
    if not done.rowcount:
        raise Conflict("Another process has taken the counting over.")


def _mine(turn: Turn) -> Update:
    return update(ProgressRow).where(ProgressRow.id == _ONE, ProgressRow.fence == turn.fence)


async def _note(database: Database, turn: Turn, *, seen_until: datetime) -> None:
    async with database.transaction() as tx:
        until = None if turn.counted_until is None else max(turn.counted_until, turn.end)
        await _renew(tx, turn, counted_until=until, seen_until=seen_until)


def stored_values(tally: Tally) -> Iterable[dict[str, Any]]:
    """Yield the rows that keep what was counted."""
    for (place, entry), n in tally.items():
        yield {
            "day": place.day,
            "agent_id": place.agent_id,
            "environment": place.environment,
            "tool_id": place.tool_id,
            "centre_id": place.centre_id,
            "decider": place.decider,
            "count": entry.count.value,
            "unit": entry.unit,
            "case_key": entry.case_key,
            "seconds": entry.seconds,
            "n": n,
        }
