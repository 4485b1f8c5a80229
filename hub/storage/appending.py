"""Appending: a transaction that only inserts, made in one visit to a thread of its own.

An ordinary transaction goes to its connection's thread and back for each statement. That is as it should be where the
caller looks at one answer before it says the next thing; rows that are complete need none of it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Dialect, Insert
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

from hub.core.errors import Unavailable
from hub.storage.clock import NOW
from hub.storage.failing import GONE, LOST_IN_COMMIT, database_errors

_DIALECT: Final[Dialect] = sqlite_dialect(paramstyle="qmark")
_NOW: Final = str(NOW.compile(dialect=_DIALECT))


@dataclass(frozen=True, slots=True)
class Insertion:
    """One statement and the rows it inserts: one at least, all with the same columns."""

    statement: Insert
    rows: Sequence[Mapping[str, Any]]

    def __post_init__(self) -> None:
        if not self.rows or any(row.keys() != self.rows[0].keys() for row in self.rows):
            raise ValueError("rows that are inserted together have the same columns, and there is one at least")


_AsStored = Callable[[Any], Any]
Compose = Callable[[datetime], Sequence[Insertion]]
"""Returns what is inserted, given the database's time; it may run in another thread."""


class Appender:
    """Appends to one SQLite file, one transaction after the other, over a connection that stays open."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="appending")

    async def append(self, compose: Compose) -> None:
        """Insert what `compose` returns and return once it is durable.

        Raises:
            Unavailable: the file is gone or locked, or this was closed.
        """
        try:
            appending = asyncio.get_running_loop().run_in_executor(self._thread, self._append, compose)
        except RuntimeError as error:  # it was closed
            raise Unavailable(GONE) from error
        await appending

    def close(self) -> None:
        """Finish what is under way, and close the connection."""
        self._thread.shutdown()
        self._let_go()

    def _append(self, compose: Compose) -> None:
        try:
            with database_errors():
                self._connection = connection = self._connection or self._connect()
                connection.execute("BEGIN IMMEDIATE")
                (at,) = connection.execute(_NOW).fetchone()
                for one in compose(datetime.fromisoformat(at)):
                    connection.executemany(*_spoken(one))
            with database_errors(gone=LOST_IN_COMMIT):
                connection.execute("COMMIT")
        except BaseException:
            self._let_go()
            raise

    def _let_go(self) -> None:
        """Close the connection, which takes back what was not committed; the next transaction opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _spoken(insertion: Insertion) -> tuple[str, list[list[Any]]]:
    """Return the words of a statement and the values of its rows, as the driver takes them."""
    words, columns = _compiled(insertion.statement, tuple(insertion.rows[0]))
    rows = [
        [row[name] if as_stored is None else as_stored(row[name]) for name, as_stored in columns]
        for row in insertion.rows
    ]
    return words, rows


@lru_cache(maxsize=32)
def _compiled(statement: Insert, names: tuple[str, ...]) -> tuple[str, Sequence[tuple[str, _AsStored | None]]]:
    """Return the words of a statement, and in their order its columns with what makes a value one that is stored."""
    compiled = statement.compile(dialect=_DIALECT, column_keys=list(names))
    types = {column.name: column.type for column in statement.table.columns}
    in_order = compiled.positiontup or ()
    return str(compiled), [(name, types[name].dialect_impl(_DIALECT).bind_processor(_DIALECT)) for name in in_order]
