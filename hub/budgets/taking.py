"""Taking of limits: all or nothing, by statements that wait for whoever takes at the same moment, on both engines.

What a write takes is put down under its invocation: it takes once however often it is claimed, and gives back what it
never used. Counters are taken in the order of their limits, after the invocation's own row, so that nothing deadlocks.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, delete, select, update

from hub.budgets.tables import TakenRow, UsageRow
from hub.budgets.values import Demand, Limit, Measure, OverBudget, RunOver
from hub.storage import Tx, insert_into, now


async def check(tx: Tx, limits: Iterable[Limit], demand: Demand) -> None:
    """Let a demand pass for which enough is left now; nothing is taken.

    Raises:
        OverBudget: too little is left.
    """
    at = await now(tx)
    for limit, amount in _counted(limits, demand):
        key = (limit.id, demand.subjects[limit.per], limit.began(at))
        used = await tx.scalar(select(UsageRow.used).where(*_key(*key)))
        if (used or 0) + amount > limit.amount:
            raise OverBudget(limit, at)


async def take(tx: Tx, limits: Iterable[Limit], demand: Demand, *, invocation_id: str | None = None) -> None:
    """Take what is demanded; whoever is refused must undo `tx`. For an `invocation_id` it is taken once.

    What it took in a window that is over, and never used, goes back there, and is taken of the window that is now: else
    many that had to wait would be sent in one window.

    Raises:
        OverBudget: too little is left of one of them.
    """
    at = await now(tx)
    has_taken = await _taken_by(tx, invocation_id)
    for limit, amount in _counted(limits, demand):
        earlier = has_taken.get(limit.id)
        if earlier is not None and earlier.began == limit.began(at):
            continue
        subject = demand.subjects[limit.per]
        await _take(tx, limit, subject, amount, at)
        if earlier is not None:
            await _put_back(tx, earlier)
            await tx.delete(earlier)
            await tx.flush()
        if invocation_id is not None:
            taken = {"limit_id": limit.id, "subject": subject, "began": limit.began(at), "amount": amount}
            tx.add(TakenRow(invocation_id=invocation_id, **taken))
    await tx.flush()


async def give_back(tx: Tx, invocation_id: str) -> None:
    """Give back what an invocation took and never used; the caller holds the invocation."""
    mine = TakenRow.invocation_id == invocation_id
    rows = (await tx.scalars(select(TakenRow).where(mine).order_by(TakenRow.limit_id))).all()
    for row in rows:
        await _put_back(tx, row)
    if rows:
        await tx.execute(delete(TakenRow).where(mine))


async def keep_to_time(tx: Tx, limits: Iterable[Limit], demand: Demand) -> None:
    """Let a call pass whose run has time left; its first call begins it.

    Raises:
        RunOver: the run has lasted as long as it may.
    """
    at = await now(tx)
    for limit, _ in applying(limits, demand):
        if limit.measure is Measure.TIME:
            subject = demand.subjects[limit.per]
            await begin(tx, (limit.id, subject, 0), used=int(at.timestamp()))
            began = await tx.scalar(select(UsageRow.used).where(*_key(limit.id, subject, 0)))
            if began is not None and at.timestamp() - began >= limit.amount:
                raise RunOver(limit, datetime.fromtimestamp(began, UTC))


def applying(limits: Iterable[Limit], demand: Demand) -> Sequence[tuple[Limit, int]]:
    """Return the limits that a call takes of and how much, in the order in which all take."""
    found = [(limit, demand.of(limit)) for limit in sorted(limits, key=lambda one: one.id)]
    return [(limit, amount) for limit, amount in found if amount]


def _counted(limits: Iterable[Limit], demand: Demand) -> Sequence[tuple[Limit, int]]:
    return [(limit, amount) for limit, amount in applying(limits, demand) if limit.measure.has_window]


async def begin(tx: Tx, key: tuple[str, str, int], *, used: int = 0) -> None:
    """Make the row in which is counted, if there is none yet."""
    fresh = {"limit_id": key[0], "subject": key[1], "began": key[2], "used": used}
    await tx.execute(insert_into(tx, UsageRow).values(fresh).on_conflict_do_nothing())


async def _put_back(tx: Tx, row: TakenRow) -> None:
    left = {"used": UsageRow.used - row.amount}
    await tx.execute(update(UsageRow).where(*_key(row.limit_id, row.subject, row.began)).values(left))


async def _taken_by(tx: Tx, invocation_id: str | None) -> Mapping[str, TakenRow]:
    if invocation_id is None:
        return {}
    found = await tx.scalars(select(TakenRow).where(TakenRow.invocation_id == invocation_id))
    return {row.limit_id: row for row in found}


async def _take(tx: Tx, limit: Limit, subject: str, amount: int, at: datetime) -> None:
    key = (limit.id, subject, limit.began(at))
    await begin(tx, key)
    enough = (*_key(*key), UsageRow.used + amount <= limit.amount)
    taken = update(UsageRow).where(*enough).values(used=UsageRow.used + amount).returning(UsageRow.used)
    if await tx.scalar(taken) is None:
        raise OverBudget(limit, at)


def _key(limit_id: str, subject: str, began: int) -> tuple[ColumnElement[bool], ...]:
    return UsageRow.limit_id == limit_id, UsageRow.subject == subject, UsageRow.began == began
