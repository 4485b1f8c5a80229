"""Erasing private values: value and salt are deleted, every proof still holds, and the log says what was erased."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import delete, func, select

from hub.audit.events import Event, append, append_many
from hub.audit.kinds import EventKind
from hub.audit.tables import EventRow, ValueRow
from hub.core.canonical import read_canonical
from hub.core.errors import NotFound
from hub.keys import Keyring
from hub.storage import Tx

Json = Any
"""Any JSON value."""

MOST_NAMED: Final = 500
"""Events whose values one event names as erased; of more there are several."""


class Because(StrEnum):
    """Why values were erased."""

    ERASURE = "erasure"
    """Somebody asked for it, and an auditor granted it."""
    RETENTION = "retention"
    """Their time was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why values are erased, under whose hand, what else the log says of it, and what it is about."""

    because: Because
    by: str | None = None
    subject: str = "audit"
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


Named = Mapping[str, Sequence[str]]
"""Private values by the ids of their events."""


async def erase_values(tx: Tx, keys: Keyring, event_id: str, fields: Collection[str], *, by: str | None = None) -> str:
    """Delete these private values of an event, and return the id of the event that says so.

    The caller has made sure that `by` may. Without that event, whoever verifies an export finds the values missing.

    Raises:
        NotFound: the event has no such value (any more); nothing was erased.
    """
    which = (ValueRow.event_id == event_id, ValueRow.field.in_(fields))
    kept = set(await tx.scalars(select(ValueRow.field).where(*which)))
    if missing := set(fields) - kept or (not fields and {"(none named)"}):
        raise NotFound(f"Event {event_id} keeps no value {', '.join(sorted(missing))}.")
    await tx.execute(delete(ValueRow).where(*which))
    cause = Cause(because=Because.ERASURE, by=by, subject=event_id)
    return await append(tx, _event({event_id: sorted(kept)}, cause), keys)


async def values_kept(tx: Tx, subjects: Collection[str]) -> dict[str, list[str]]:
    """Return which private values of the events about `subjects` are still there, by the ids of the events."""
    found = dict[str, list[str]]()
    for some in _parts(subjects):
        query = select(ValueRow.event_id, ValueRow.field).join(EventRow, EventRow.id == ValueRow.event_id)
        ordered = query.where(EventRow.subject.in_(some)).order_by(ValueRow.event_id, ValueRow.field)
        for event_id, name in (await tx.execute(ordered)).all():
            found.setdefault(event_id, []).append(name)
    return found


async def latest_of(tx: Tx, subjects: Collection[str]) -> dict[str, datetime]:
    """Return when the newest event about each of `subjects` happened; those without any are left out."""
    found = dict[str, datetime]()
    for some in _parts(subjects):
        query = select(EventRow.subject, func.max(EventRow.at)).where(EventRow.subject.in_(some))
        found |= {row[0]: row[1] for row in (await tx.execute(query.group_by(EventRow.subject))).all()}
    return found


async def erase_named(tx: Tx, keys: Keyring, named: Named, cause: Cause) -> list[str]:
    """Delete the private values that `named` names, and return the ids of the events that say so.

    The caller has found them in `tx`, has seen that nothing forbids it, and keeps others from doing the same meanwhile.
    """
    events = list[Event]()
    for some in _parts(named):
        part = {event_id: sorted(named[event_id]) for event_id in some}
        fields = {name for names in part.values() for name in names}
        for name in sorted(fields):
            mine = [event_id for event_id, names in part.items() if name in names]
            await tx.execute(delete(ValueRow).where(ValueRow.event_id.in_(mine), ValueRow.field == name))
        events.append(_event(part, cause))
    return await append_many(tx, events, keys)


async def erasing_events_of(tx: Tx, event_ids: Collection[str]) -> list[str]:
    """Return the ids of the events that say that private values of any of these events were erased."""
    wanted = frozenset(event_ids)
    query = select(EventRow.id, EventRow.body).where(EventRow.kind == EventKind.VALUES_ERASED.value)
    rows = (await tx.execute(query)).all()
    return [row.id for row in rows if any(one in wanted for one, _ in erased_by(read_canonical(row.body)["facts"]))]


def erased_by(facts: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Yield the event and the field of each value that the facts of an event name as erased."""
    values = facts.get("values")
    for event_id, fields in cast("Mapping[str, Json]", values).items() if isinstance(values, dict) else ():
        for name in cast("list[Json]", fields) if isinstance(fields, list) else ():
            yield str(event_id), str(name)


def _event(named: Named, cause: Cause) -> Event:
    values = {event_id: list(names) for event_id, names in named.items()}
    counts = {"events_emptied": len(values), "values_erased": sum(map(len, values.values()))}
    facts = {**cause.facts, **counts, "because": cause.because.value, "values": values}
    return Event(kind=EventKind.VALUES_ERASED, subject=cause.subject, actor=cause.by, facts=facts)


def _parts(ids: Collection[str]) -> Iterator[list[str]]:
    """Yield the ids in order, no more at once than one event names."""
    ordered = sorted(ids)
    return (ordered[start : start + MOST_NAMED] for start in range(0, len(ordered), MOST_NAMED))
