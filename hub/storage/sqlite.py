"""SQLite's driver as the hub uses it: each statement and its rows in one visit to the thread of its connection.

aiosqlite visits that thread for the cursor, the statement, its rows and the cursor's end, one after the other. Each
visit is two switches between threads that want the same interpreter, which costs more than most statements take.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Self, TypeVar, cast

import aiosqlite

AT_ONCE: Final = 256
"""Rows that come with the statement itself; of a longer result the rest comes when it is asked for."""

_PRAGMAS: Final = tuple(f"PRAGMA {each}" for each in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"))
"""What every connection is told first: commits are durable before they return."""

T = TypeVar("T")
Row = tuple[Any, ...]


class Statement:
    """A cursor for SQLAlchemy: runs one statement at a time, and has its first rows at once."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._open: sqlite3.Cursor | None = None  # while it may have more rows than are here
        self._rows: deque[Row] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Any = ()) -> Self:  # noqa: ANN401  # what sqlite3 takes
        """Run a statement and fetch its first rows."""
        return await self._run(lambda cursor: cursor.execute(sql, parameters))

    async def executemany(self, sql: str, parameters: Iterable[Any]) -> Self:
        """Run a statement once for each of `parameters`."""
        return await self._run(lambda cursor: cursor.executemany(sql, parameters))

    async def fetchone(self) -> Row | None:
        """Return the next row."""
        rows = await self.fetchmany(1)
        return rows[0] if rows else None

    async def fetchmany(self, size: int | None = None) -> Sequence[Row]:
        """Return the next `size` rows, or as many as there are."""
        wanted = size or self.arraysize
        if len(self._rows) < wanted and (cursor := self._open) is not None:
            lacking = max(AT_ONCE, wanted - len(self._rows))
            self._rows += await self._connection.visit(lambda: cursor.fetchmany(lacking))
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> Sequence[Row]:
        """Return all rows that are left."""
        if (cursor := self._open) is not None:
            self._rows += await self._connection.visit(cursor.fetchall)
        rows, self._rows = list(self._rows), deque()
        return rows

    async def __aiter__(self) -> AsyncGenerator[Row]:
        """Yield the rows that are left, some at a time."""
        while (row := await self.fetchone()) is not None:
            yield row

    async def close(self) -> None:
        """Forget the rows that are left."""
        self._rows.clear()
        cursor, self._open = self._open, None
        if cursor is not None:
            await self._connection.visit(cursor.close)

    async def _run(self, statement: Callable[[sqlite3.Cursor], object]) -> Self:
        def run() -> tuple[sqlite3.Cursor, list[Row]]:
            cursor = self._connection.there.cursor()
            statement(cursor)
            return cursor, cursor.fetchmany(AT_ONCE) if cursor.description else []

        cursor, rows = await self._connection.visit(run)
        self._rows = deque(rows)
        self._open = cursor if len(rows) == AT_ONCE else None  # one without more rows is done with its statement
        self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        return self


class Connection(aiosqlite.Connection):
    """A connection and its thread."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=AT_ONCE)
        self._thread.daemon = True  # as SQLAlchemy has it: one that was lost must not keep the process alive
        self._is_unclear = False

    @property
    def there(self) -> sqlite3.Connection:
        """Return the connection as its own thread sees it."""
        return self._conn

    async def visit(self, action: Callable[[], T]) -> T:
        """Do `action` in the connection's thread and return what it returns."""
        done: T = await self._execute(action)
        return done

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # as aiosqlite has it
        try:
            return await cast("Any", super())._execute(fn, *args, **kwargs)  # noqa: SLF001  # its own, which is not typed
        except asyncio.CancelledError:
            self._is_unclear = True
            raise

    async def close(self) -> None:
        """Close it and end its thread.

        aiosqlite asks the thread twice. Whoever is cancelled in between, and SQLAlchemy then lets the thread end, would
        leave a task behind that waits for it for ever.
        """
        if self._running:
            await cast("Any", self).stop()  # which aiosqlite does not type, and which in an event loop is a future

    def cursor(self) -> Statement:  # type: ignore[override]  # a cursor that is there without a visit
        """Return a cursor."""
        return Statement(self)

    async def rollback(self) -> None:
        """End a transaction, if there is one; whoever gives a connection back asks for that, and mostly it has ended.

        A statement that nobody waits for any more may still begin one: after that the thread itself is asked.
        """
        if self._is_unclear or self.there.in_transaction:
            await self.visit(self.there.rollback)
            self._is_unclear = False


class _LettingGo(sqlite3.Connection):
    """A connection that lets go of its lock when it is closed, whatever still refers to a statement of it.

    SQLite keeps a closed connection, its transaction and the lock until the last of its statements is gone. Of a task
    that was cancelled, that is when nobody holds the exception any more, and until then nobody could write.
    """

    def close(self) -> None:
        """Roll back what was begun and not committed, and close."""
        with suppress(sqlite3.Error):  # it may be closed already
            self.rollback()
        super().close()


def connect(file: str, *, timeout: float = 5, **_options: object) -> Connection:
    """Return a connection to `file`, which opens once it is awaited; what else SQLAlchemy asks for, it is already."""
    return Connection(lambda: connect_blocking(file, timeout=timeout))


def connect_blocking(file: str, *, timeout: float) -> sqlite3.Connection:
    """Return a connection to `file` for whoever has a thread to wait in; it begins nothing by itself."""
    connection = sqlite3.connect(
        file, timeout=timeout, factory=_LettingGo, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection
