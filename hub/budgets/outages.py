"""Connections whose systems do not answer: three failures in a row make the hub look itself, and what it finds decides.

A call can fail because of what it was given. So failures alone mark nothing: the hub's own health check does, which no
agent has a hand in. While a connection is unavailable no call is made with it; the next check that succeeds restores
it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import case, delete, select, update

from hub.audit import EventKind
from hub.budgets.tables import OutageRow
from hub.budgets.values import BRAKES_CHANNEL
from hub.core.errors import HubError
from hub.identity.authority import Authority
from hub.storage import Database, Tx, insert_into, now

FAILURES: Final = 3
_LOOK_LASTS: Final = timedelta(seconds=30)
"""Within this a check has ended, or its process has."""
_PAUSES: Final = (2, 5, 10, 20, 30)
"""Seconds between checks of a connection that is unavailable; the last goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """How often in a row a connection failed, and since when it is unavailable, if it is."""

    connection_id: str
    failures: int
    reason: str
    unavailable_since: datetime | None
    look_at: datetime


class OutOfReach(HubError):
    """A connection is unavailable; nothing was sent. `frees_at` is when the hub looks again."""

    code = "connection_unavailable"

    def __init__(self, outage: Outage) -> None:
        self.frees_at = outage.look_at
        since = f" since {outage.unavailable_since:%Y-%m-%d %H:%M:%S}Z" if outage.unavailable_since else ""
        super().__init__(
            f"The system behind this tool has not answered{since}; nothing was sent. The hub goes on looking, and lets"
            " calls through as soon as it answers."
        )


async def note_failure(tx: Tx, database: Database, connection_id: str, reason: str) -> None:
    """Put on record that a call failed to reach the system of a connection."""
    fresh = {"failures": 1, "reason": reason[:500], "look_at": await now(tx), "looks": 0}
    statement = insert_into(tx, OutageRow).values(connection_id=connection_id, **fresh)
    found_by_look = OutageRow.unavailable_since.is_not(None)  # what the hub's own look found stands
    stands = case((found_by_look, OutageRow.reason), else_=statement.excluded.reason)
    more = {"failures": OutageRow.failures + 1, "reason": stands}
    await tx.execute(statement.on_conflict_do_update(index_elements=["connection_id"], set_=more))
    await database.signal(tx, BRAKES_CHANNEL)


async def note_answer(tx: Tx, database: Database, connection_id: str) -> None:
    """Forget the failures of a connection whose system has answered; one that is unavailable waits for a check."""
    failing = (OutageRow.connection_id == connection_id, OutageRow.unavailable_since.is_(None))
    await tx.execute(delete(OutageRow).where(*failing))
    await database.signal(tx, BRAKES_CHANNEL)


async def outages_now(tx: Tx) -> tuple[Outage, ...]:
    """Return every connection whose last call failed."""
    return tuple(map(_outage, await tx.scalars(select(OutageRow).order_by(OutageRow.connection_id))))


async def refuse_unavailable(tx: Tx, connection_id: str) -> None:
    """Let a call pass whose connection is not unavailable, as the database says.

    Raises:
        OutOfReach: it is.
    """
    row = await tx.get(OutageRow, connection_id, populate_existing=True)
    if row is not None and row.unavailable_since is not None:
        raise OutOfReach(_outage(row))


async def take_looks(tx: Tx) -> list[str]:
    """Return the connections to be checked now, each to one process; it says with `found` what it found."""
    at = await now(tx)
    due = (OutageRow.failures >= FAILURES, OutageRow.look_at <= at)
    taken = update(OutageRow).where(*due).values(look_at=at + _LOOK_LASTS, looks=OutageRow.looks + 1)
    return list(await tx.scalars(taken.returning(OutageRow.connection_id)))


async def found(tx: Tx, connection_id: str, problem: str | None, authority: Authority) -> None:
    """Mark a connection as unavailable because of a `problem`, or restore it; each with one event.

    Whoever looks earlier than the hub would, may restore it; but too few failures mark nothing, whatever is found.
    """
    mine = OutageRow.connection_id == connection_id
    row = await tx.scalar(select(OutageRow).where(mine).with_for_update())
    if row is None or (problem is not None and row.failures < FAILURES):
        return
    was_unavailable, failures = row.unavailable_since is not None, str(row.failures)
    if problem is None:
        await tx.delete(row)
    else:
        at = await now(tx)
        pause = _PAUSES[min(max(row.looks, 1), len(_PAUSES)) - 1]
        row.reason, row.look_at = problem[:500], at + timedelta(seconds=pause)
        row.unavailable_since = row.unavailable_since or at
    await tx.flush()
    if problem is not None and not was_unavailable:
        await authority.record(tx, EventKind.CONNECTION_UNAVAILABLE, connection_id, problem=problem, failures=failures)
    if problem is None and was_unavailable:
        await authority.record(tx, EventKind.CONNECTION_RESTORED, connection_id)
    await authority.database.signal(tx, BRAKES_CHANNEL)


def _outage(row: OutageRow) -> Outage:
    return Outage(
        connection_id=row.connection_id,
        failures=row.failures,
        reason=row.reason,
        unavailable_since=row.unavailable_since,
        look_at=row.look_at,
    )
