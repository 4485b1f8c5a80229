"""Feeding other systems: the log's events in a format of theirs, from a number on, in the order of the log."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from hub.audit.events import Event, append
from hub.audit.foreign_formats import ForeignFormat, foreign_line
from hub.audit.kinds import EventKind
from hub.audit.sequencer import ensure_checkpoint, latest_checkpoint, origin_of
from hub.audit.tables import EventRow
from hub.core.canonical import read_canonical
from hub.core.errors import InputError
from hub.keys import Keyring
from hub.storage import Database

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedOrder:
    """What is wanted, in which format, for whom: events whose number is `first` or higher."""

    by: str | None
    shape: ForeignFormat
    first: int = 0


async def feed_lines(database: Database, keys: Keyring, order: FeedOrder) -> AsyncGenerator[bytes]:
    """Yield events as lines, up to the one that says that they were exported.

    Raises:
        InputError: the log has not come to that number yet.
    """
    facts = {"values": False, "first": order.first, "format": order.shape.value}
    exported = Event(kind=EventKind.LOG_EXPORTED, subject="audit", actor=order.by, facts=facts)
    async with database.transaction() as tx:
        newest = await latest_checkpoint(tx, keys)
        if order.first > (0 if newest is None else newest.size):
            raise InputError(
                f"The log has {0 if newest is None else newest.size} numbered events; begin there or before."
            )
        event_id = await append(tx, exported, keys)
    size = (await ensure_checkpoint(database, keys, event_id)).size
    log = origin_of(keys)
    for start in range(order.first, size, _PAGE):
        query = select(EventRow.body).where(EventRow.position >= start)
        page = query.where(EventRow.position < min(start + _PAGE, size)).order_by(EventRow.position)
        async with database.reading() as tx:  # short ones: a feed holds up nobody
            rows = (await tx.execute(page)).all()
        for number, row in enumerate(rows, start):  # numbers have no gap
            yield foreign_line(read_canonical(row.body), number, log, order.shape)
