"""Values whose time is over: found in the order of their events, a bounded number at once."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, select

from hub.audit.tables import DECIDED_ON, EventRow, ValueRow
from hub.storage import Tx


class Class(StrEnum):
    """What private values are kept for, and so how long."""

    BODIES = "bodies"
    """What calls said and brought back, and what people wrote: to look into what happened lately."""
    DECISIONS = "decisions"
    """The facts that policy decided on: to make the decision again, as long as its event is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OldValue:
    """A private value whose time is over, by its event."""

    event_id: str
    field: str
    subject: str
    at: datetime


def is_body(name: str) -> bool:
    """Return whether private values of this name are kept as long as bodies are."""
    return name != DECIDED_ON


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Values of a class whose events happened before a moment, in the order of the events' ids, from `after` on."""

    kind: Class
    before: datetime
    limit: int
    after: str = ""


async def old_values(tx: Tx, search: Search, *, spared: ColumnElement[bool]) -> list[OldValue]:
    """Return the values of the next `search.limit` events that a search finds; none: there are no more.

    `spared` is a condition on what events are about, under which their values are left out.
    """
    is_kind = ValueRow.field == DECIDED_ON if search.kind is Class.DECISIONS else ValueRow.field != DECIDED_ON
    old = (is_kind, EventRow.at < search.before, ValueRow.event_id > search.after, ~spared)
    joined = select(ValueRow.event_id).join(EventRow, EventRow.id == ValueRow.event_id).where(*old)
    ids = list(await tx.scalars(joined.distinct().order_by(ValueRow.event_id).limit(search.limit)))
    whole = select(ValueRow.event_id, ValueRow.field, EventRow.subject, EventRow.at).where(is_kind)
    mine = whole.join(EventRow, EventRow.id == ValueRow.event_id).where(ValueRow.event_id.in_(ids))
    rows = (await tx.execute(mine.order_by(ValueRow.event_id, ValueRow.field))).all()
    return [OldValue(event_id=row.event_id, field=row.field, subject=row.subject, at=row.at) for row in rows]


def named(values: Collection[OldValue]) -> dict[str, list[str]]:
    """Return the values by the ids of their events."""
    found = dict[str, list[str]]()
    for one in values:
        found.setdefault(one.event_id, []).append(one.field)
    return found
