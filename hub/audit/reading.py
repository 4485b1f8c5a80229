"""Reading the log: the events of one subject, pages of all events, and the private values of one event."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, select

from hub.audit.events import SALT_BYTES, commitment, value_context
from hub.audit.kinds import EventKind
from hub.audit.tables import EventRow, ValueRow
from hub.core.canonical import read_canonical
from hub.core.errors import Malformed, NotFound, Unavailable
from hub.keys import Keyring
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_DAMAGED: Final[Mapping[str, Json]] = {
    **dict.fromkeys(("agent", "on_behalf_of", "trace_id", "run_id")),
    "facts": {"damaged": "What stands here was changed after it was written and cannot be read. Have the log checked."},
    "commitments": {},
}
"""What is told in place of an event that somebody has made unreadable."""
LONGEST_TIMELINE: Final = 1000
"""How many events of one subject are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """An event as it stands in the log. `position` is its place in the tree, from 0; None: not numbered yet."""

    id: str
    entry: int
    position: int | None
    kind: EventKind
    at: datetime
    subject: str
    actor: str | None
    agent: str | None
    on_behalf_of: str | None
    trace_id: str | None
    run_id: str | None
    facts: Mapping[str, Json]
    commitments: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events a page shows; None: any."""

    kind: EventKind | None = None
    subject: str | None = None
    actor: str | None = None


async def events_of(tx: Tx, subject: str) -> list[AuditEvent]:
    """Return the events of `subject` in the order in which they happened."""
    query = select(EventRow).where(EventRow.subject == subject).order_by(EventRow.entry).limit(LONGEST_TIMELINE)
    return [_event(row) for row in await tx.scalars(query)]


async def page_of_events(
    tx: Tx, *, wanted: EventFilter | None = None, before: int | None = None, limit: int = 50
) -> list[AuditEvent]:
    """Return at most `limit` events, newest first, older than the event whose `entry` is `before`.

    One that somebody has changed so that it cannot be read says so, and hides none of the others.
    """
    chosen = wanted or EventFilter()
    conditions: list[ColumnElement[bool]] = []
    if chosen.kind is not None:
        conditions.append(EventRow.kind == chosen.kind.value)
    if chosen.subject is not None:
        conditions.append(EventRow.subject == chosen.subject)
    if chosen.actor is not None:
        conditions.append(EventRow.actor == chosen.actor)
    if before is not None:
        conditions.append(EventRow.entry < before)
    query = select(EventRow).where(*conditions).order_by(EventRow.entry.desc()).limit(limit)
    return [_legible(row) for row in await tx.scalars(query)]


async def event(tx: Tx, event_id: str) -> AuditEvent:
    """Return the event.

    Raises:
        NotFound: there is no such event.
    """
    row = await tx.scalar(select(EventRow).where(EventRow.id == event_id))
    if row is None:
        raise NotFound("There is no such event.")
    return _event(row)


async def open_values(tx: Tx, event_id: str, keys: Keyring) -> dict[str, Json]:
    """Return the private values of an event that have not been erased, checked against its commitments.

    The caller has made sure that the reader may, and records that they were read (`EventKind.BODIES_READ`).

    Raises:
        NotFound: there is no such event.
        Unavailable: a stored value is not the one that the event committed to.
    """
    recorded = await event(tx, event_id)
    values: dict[str, Json] = {}
    for row in await tx.scalars(select(ValueRow).where(ValueRow.event_id == event_id).order_by(ValueRow.field)):
        values[row.field] = _checked(recorded, row, keys)
    return values


def _checked(recorded: AuditEvent, row: ValueRow, keys: Keyring) -> Json:
    salt, value = open_value(row, keys)
    if commitment(salt, value) != recorded.commitments.get(row.field):
        raise Unavailable(f"The stored value of {row.field!r} is not what event {recorded.id} recorded.")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An event, and one private value of it: None where it has none of that name, or not any more."""

    event: AuditEvent
    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some of the log in its order: events of these kinds since a moment, after the one whose `entry` is `after`."""

    kinds: Collection[EventKind]
    since: datetime
    after: int = 0
    limit: int = 500


async def texts_of(tx: Tx, subject: str, names: Collection[str], keys: Keyring) -> dict[str, dict[str, Json]]:
    """Return the private values of these names of the events about `subject`, by the ids of the events.

    The caller has made sure that whoever reads them takes part in what they are about.
    """
    query = select(ValueRow).join(EventRow, EventRow.id == ValueRow.event_id)
    found = dict[str, dict[str, Json]]()
    for row in await tx.scalars(query.where(EventRow.subject == subject, ValueRow.field.in_(names))):
        found.setdefault(row.event_id, {})[row.field] = open_value(row, keys)[1]
    return found


async def values_named(tx: Tx, name: str, keys: Keyring, stretch: Stretch) -> list[Kept]:
    """Return the events of a stretch, each with its private value called `name`.

    The caller has made sure that the reader may.

    Raises:
        Unavailable: a stored value is not the one that its event committed to.
    """
    is_theirs = (ValueRow.event_id == EventRow.id) & (ValueRow.field == name)
    is_asked_for = (
        EventRow.entry > stretch.after,
        EventRow.at >= stretch.since,
        EventRow.kind.in_([kind.value for kind in stretch.kinds]),
    )
    query = select(EventRow, ValueRow).outerjoin(ValueRow, is_theirs).where(*is_asked_for)
    found = list[Kept]()
    rows = (await tx.execute(query.order_by(EventRow.entry).limit(stretch.limit))).all()
    for event_row, value_row in cast("Sequence[tuple[EventRow, ValueRow | None]]", rows):
        recorded = _event(event_row)
        value = None if value_row is None else _checked(recorded, value_row, keys)
        found.append(Kept(event=recorded, value=value))
    return found


def open_value(row: ValueRow, keys: Keyring) -> tuple[bytes, Json]:
    """Return the salt and the value that `row` keeps.

    Raises:
        Malformed: it was changed, or belongs to another event or field.
    """
    plain = keys.decrypt(row.sealed, context=value_context(row.event_id, row.field))
    return plain[:SALT_BYTES], read_canonical(plain[SALT_BYTES:])


def _legible(row: EventRow) -> AuditEvent:
    try:
        return _event(row)
    except (Malformed, KeyError, TypeError):
        return _event(row, _DAMAGED)


def _event(row: EventRow, instead: Mapping[str, Json] | None = None) -> AuditEvent:
    body = read_canonical(row.body) if instead is None else instead
    return AuditEvent(
        id=row.id,
        entry=row.entry,
        position=row.position,
        kind=EventKind(row.kind),
        at=row.at,
        subject=row.subject,
        actor=row.actor,
        agent=body["agent"],
        on_behalf_of=body["on_behalf_of"],
        trace_id=body["trace_id"],
        run_id=body["run_id"],
        facts=body["facts"],
        commitments=body["commitments"],
    )
