"""Places of calls under way, where a limit says how many there may be at the same time: leases, and no counters.

Whoever looks for a place waits for whoever else does, so that two never take the last one. A place that is not given
up, because its process died, is free again when its time is over. Places are taken after counters, in the same order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, exists, func, select, update

from hub.budgets.tables import PlaceRow, UsageRow
from hub.budgets.taking import applying, begin
from hub.budgets.values import Demand, Limit, Measure, NoPlace
from hub.storage import Tx, now

AGAIN_SECONDS: Final = 5
"""Nobody knows when a call ends. Whoever found no place is told to try again after this, or when a lease ends."""
_FORGOTTEN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who takes a place, and for how long at most."""

    id: str
    seconds: int


async def take_place(tx: Tx, limits: Iterable[Limit], demand: Demand, holder: Holder) -> None:
    """Take a place under each limit that says how many calls there may be at once; keep it where `holder` has one.

    Raises:
        NoPlace: there is none left under one of them; whoever is refused must undo `tx`.
    """
    for limit, amount in applying(limits, demand):
        if limit.measure is Measure.AT_ONCE and amount:
            await _take(tx, limit, demand.subjects[limit.per], holder)


async def keep_place(tx: Tx, holder: Holder) -> bool:
    """Keep the places of `holder` for so long at least; return whether it has lost none that it took."""
    at = await now(tx)
    mine = PlaceRow.holder == holder.id
    if await tx.scalar(select(exists().where(mine, PlaceRow.until <= at))):
        return False
    until = at + timedelta(seconds=holder.seconds)
    await tx.execute(update(PlaceRow).where(mine, PlaceRow.until < until).values(until=until))
    return True


async def leave_place(tx: Tx, holder_id: str) -> None:
    """Give up the places of a call that is no longer under way."""
    await tx.execute(delete(PlaceRow).where(PlaceRow.holder == holder_id))


async def forget_places(tx: Tx) -> None:
    """Delete what ended long ago without being given up."""
    await tx.execute(delete(PlaceRow).where(PlaceRow.until < await now(tx) - _FORGOTTEN))


async def _take(tx: Tx, limit: Limit, subject: str, holder: Holder) -> None:
    await _wait_for_others(tx, limit, subject)
    at = await now(tx)
    mine = await tx.get(PlaceRow, (limit.id, holder.id))
    if mine is None or mine.until <= at:
        await _look(tx, limit, subject, at)
    if mine is None:
        mine = PlaceRow(limit_id=limit.id, holder=holder.id)
        tx.add(mine)
    mine.subject, mine.until = subject, at + timedelta(seconds=holder.seconds)
    await tx.flush()


async def _wait_for_others(tx: Tx, limit: Limit, subject: str) -> None:
    """Wait for whoever looks for a place at the same time; the row for that may be forgotten at any moment."""
    turn = (UsageRow.limit_id == limit.id, UsageRow.subject == subject, UsageRow.began == 0)
    waited = update(UsageRow).where(*turn).values(used=UsageRow.used).returning(UsageRow.limit_id)
    while await tx.scalar(waited) is None:
        await begin(tx, (limit.id, subject, 0))


async def _look(tx: Tx, limit: Limit, subject: str, at: datetime) -> None:
    held = (PlaceRow.limit_id == limit.id, PlaceRow.subject == subject, PlaceRow.until > at)
    places = await tx.scalar(select(func.count()).select_from(PlaceRow).where(*held)) or 0
    if places >= limit.amount:
        raise NoPlace(limit, at, seconds=await _wait(tx, held, at))


async def _wait(tx: Tx, held: tuple[ColumnElement[bool], ...], at: datetime) -> int:
    """Return after how many seconds it is worth trying again."""
    first = await tx.scalar(select(func.min(PlaceRow.until)).where(*held))
    return AGAIN_SECONDS if first is None else min(AGAIN_SECONDS, int((first - at).total_seconds()) + 1)
