"""A reader that is held up: what it asked the database was answered, and it hears of the answer later."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event
from sqlalchemy.util import await_only

from hub.storage import Database


@dataclass(frozen=True, slots=True)
class HeldUp:
    """`has_read` is set once the first reader of a table was answered; it goes on once `may_go` is."""

    has_read: asyncio.Event = field(default_factory=asyncio.Event)
    may_go: asyncio.Event = field(default_factory=asyncio.Event)


@contextmanager
def first_reader_of(database: Database, table: str) -> Iterator[HeldUp]:
    """Hold up the first that reads `table`, and nobody else."""
    held = HeldUp()

    def hold(*given: Any) -> None:  # noqa: ANN401  # of SQLAlchemy: connection, cursor, statement and three more
        statement = str(given[2])
        if f"FROM {table}" in statement.replace("\n", "") and not held.has_read.is_set():
            held.has_read.set()
            await_only(held.may_go.wait())

    engine = database.engine.sync_engine
    event.listen(engine, "after_cursor_execute", hold)
    try:
        yield held
    finally:
        event.remove(engine, "after_cursor_execute", hold)
