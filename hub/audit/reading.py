"""Reading the log: the events of one subject, pages of all events, and the private values of one event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, select

from hub.audit.events import SALT_BYTES, commitment, value_context
from hub.audit.kinds import EventKind
from hub.audit.tables import EventRow, ValueRow
from hub.core.canonical import read_canonical
from hub.core.errors import NotFound, Unavailable
from hub.keys import Keyring
from hub.storage import Tx

Json = Any
"""Any JSON value."""

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
    """Return at most `limit` events, newest first, older than the event whose `entry` is `before`."""
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
    return [_event(row) for row in await tx.scalars(query)]


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
    commitments = (await event(tx, event_id)).commitments
    values: dict[str, Json] = {}
    for row in await tx.scalars(select(ValueRow).where(ValueRow.event_id == event_id).order_by(ValueRow.field)):
        salt, value = open_value(row, keys)
        if commitment(salt, value) != commitments.get(row.field):
            raise Unavailable(f"The stored value of {row.field!r} is not what event {event_id} recorded.")
        values[row.field] = value
    return values


def open_value(row: ValueRow, keys: Keyring) -> tuple[bytes, Json]:
    """Return the salt and the value that `row` keeps.

    Raises:
        Malformed: it was changed, or belongs to another event or field.
    """
    plain = keys.decrypt(row.sealed, context=value_context(row.event_id, row.field))
    return plain[:SALT_BYTES], read_canonical(plain[SALT_BYTES:])


def _event(row: EventRow) -> AuditEvent:
    body = read_canonical(row.body)
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
