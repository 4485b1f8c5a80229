"""Retention: what was kept long enough is deleted, a bounded part at a time, each with the event that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import and_, exists, false, or_, select
from sqlalchemy.orm import aliased

from hub.audit import Because, Cause, Class, OldValue, Search, erase_named, is_body, named, old_values, values_kept
from hub.audit.tables import EventRow
from hub.erasures.holds import LOCK, held, items_of
from hub.invocations.emptying import ENDED, empty, forget_amounts
from hub.invocations.tables import InvocationRow
from hub.keys import Keyring
from hub.reviews.emptying import under_review
from hub.storage import Database, Tx, now

BATCH: Final = 200
"""Of so many invocations, or events, one transaction deletes the values at most: so long others wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long things are kept, counted from when they ended or happened."""

    bodies: timedelta = timedelta(days=90)
    decisions: timedelta = timedelta(days=2557)


USUAL: Final = Keeping()
"""As long as it is unless the settings say otherwise: 90 days, and seven years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """How much was deleted because its time was over."""

    invocations: int = 0
    values: int = 0

    def __add__(self, other: "Retired") -> "Retired":
        return Retired(invocations=self.invocations + other.invocations, values=self.values + other.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Old:
    """An invocation that ended long ago."""

    id: str
    at: datetime


async def retain(database: Database, keys: Keyring, keeping: Keeping, *, batch: int = BATCH) -> Retired:
    """Delete everything whose time is over and that no legal hold stands over; return how much that was.

    Any number of workers may do this at once: each part is deleted once, by one of them, together with its event. A
    process that dies in between leaves the rest to the next. Between two parts everybody else has a turn.
    """
    done = await _retire_invocations(database, keys, keeping.bodies, batch)
    done += await _retire_values(database, keys, (Class.BODIES, keeping.bodies), batch)
    done += await _retire_values(database, keys, (Class.DECISIONS, keeping.decisions), batch)
    async with database.transaction() as tx:
        await database.lock(tx, LOCK)
        await forget_amounts(tx, limit=batch)
    return done


async def _retire_invocations(database: Database, keys: Keyring, kept_for: timedelta, batch: int) -> Retired:
    done, after = Retired(), None
    while True:
        async with database.transaction() as tx:
            await database.lock(tx, LOCK)
            found = await _old_invocations(tx, kept_for, after, batch)
            if not found:
                return done
            for day, some in groupby(found, key=lambda one: one.at.date()):
                done += await _empty(tx, keys, day.isoformat(), [one.id for one in some])
        after = found[-1]


async def _old_invocations(tx: Tx, kept_for: timedelta, after: _Old | None, batch: int) -> Sequence[_Old]:
    row = InvocationRow
    plan = aliased(InvocationRow)
    goes_on = exists().where(plan.id == row.part_of, plan.state.not_in(sorted(state.value for state in ENDED)))
    query = select(row.id, row.updated_at).where(
        row.erased_at.is_(None),
        ~goes_on,  # later steps, and the undo of this one, take values from it
        row.state.in_(sorted(state.value for state in ENDED)),
        row.updated_at < await now(tx) - kept_for,
    )
    if after is not None:
        query = query.where(or_(row.updated_at > after.at, and_(row.updated_at == after.at, row.id > after.id)))
    rows = (await tx.execute(query.order_by(row.updated_at, row.id).limit(batch))).all()
    return [_Old(id=one.id, at=one.updated_at) for one in rows]


async def _empty(tx: Tx, keys: Keyring, day: str, ids: Sequence[str]) -> Retired:
    """Empty the invocations that ended on one day, but for those that are held or still to be reviewed."""
    spared = {*await held(tx, await items_of(tx, ids)), *await under_review(tx, ids)}
    free = [one for one in ids if one not in spared]
    if not free:
        return Retired()
    emptied = await empty(tx, keys, free)
    values = {
        event: [name for name in names if is_body(name)] for event, names in (await values_kept(tx, free)).items()
    }
    there = {event: names for event, names in values.items() if names}
    counts = {"invocations": emptied.invocations, "previews": emptied.previews}
    await erase_named(tx, keys, there, _cause(Class.BODIES, day, counts))
    return Retired(invocations=emptied.invocations, values=sum(map(len, there.values())))


async def _retire_values(database: Database, keys: Keyring, kept: tuple[Class, timedelta], batch: int) -> Retired:
    done, after = Retired(), ""
    kind, kept_for = kept
    # the bodies of an invocation that is not emptied wait for that, however old some of its events are
    whole = select(InvocationRow.id).where(InvocationRow.erased_at.is_(None))
    spared = EventRow.subject.in_(whole) if kind is Class.BODIES else false()
    while True:
        async with database.transaction() as tx:
            await database.lock(tx, LOCK)
            search = Search(kind=kind, before=await now(tx) - kept_for, after=after, limit=batch)
            found = await old_values(tx, search, spared=spared)
            if not found:
                return done
            over = await held(tx, await items_of(tx, sorted({one.subject for one in found})))
            free = [one for one in found if one.subject not in over]
            done += await _erase(tx, keys, kind, free)
        after = found[-1].event_id


async def _erase(tx: Tx, keys: Keyring, kind: Class, values: Sequence[OldValue]) -> Retired:
    for day, some in groupby(values, key=lambda one: one.at.date()):
        await erase_named(tx, keys, named(list(some)), _cause(kind, day.isoformat(), {}))
    return Retired(values=len(values))


def _cause(kind: Class, day: str, counts: dict[str, int]) -> Cause:
    facts = {"class": kind.value, "day": day, **counts}
    return Cause(because=Because.RETENTION, subject=f"retention:{day}", facts=facts)
