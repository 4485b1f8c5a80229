"""SQLite behind the broker: one file in an allowed folder, and an authorizer that knows what each statement may do."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiosqlite

from connectors.sdk.errors import Refused, Unavailable
from connectors.sql.binding import Binding, Limits, Text
from connectors.sql.live import Table
from connectors.sql.resources import GIVEN
from sandbox.sql import sqlite_catalog
from sandbox.sql.session import CommitUnclear, Mode, Row, Session, WriteAttempt
from sandbox.sql.values import to_json

Json = Any
"""Any JSON value."""

T = TypeVar("T")

_WRITES: Final = {sqlite3.SQLITE_INSERT: "INSERT", sqlite3.SQLITE_UPDATE: "UPDATE", sqlite3.SQLITE_DELETE: "DELETE"}
_READS: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_NAMES: Final = (
    "count sum total avg min max abs round ceil ceiling floor lower "
    "upper trim ltrim rtrim length substr substring coalesce ifnull nullif concat concat_ws "
    "instr replace like glob group_concat strftime date time datetime julianday row_number rank "
    "dense_rank current_date current_time current_timestamp iif "
)
_FUNCTIONS: Final = frozenset(_NAMES.split())
"""Functions that do nothing but return a value."""


@dataclass(slots=True)
class _Guardian:
    """SQLite asks it before it prepares anything; what is not on its list is denied."""

    writes: frozenset[str]
    functions: frozenset[str]
    is_own: bool = True
    """Whether the broker itself is speaking."""
    denied: list[str] = field(default_factory=list[str])

    def decide(self, action: int, *names: str | None) -> int:
        if self.is_own or (action in _READS and not str(names[0]).lower().startswith("sqlite_")):
            return sqlite3.SQLITE_OK
        if action in _WRITES and names[0] in self.writes:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and str(names[1]).lower() in self.functions:
            return sqlite3.SQLITE_OK
        what = _WRITES.get(action) or f"action {action}"
        self.denied.append(f"{what} {' '.join(name for name in names[:2] if name)}".strip())
        return sqlite3.SQLITE_DENY


@dataclass(slots=True)
class _Transaction:
    """A session; see `sandbox.sql.session.Session`."""

    connection: aiosqlite.Connection
    guardian: _Guardian
    limits: Limits
    changed_before: int = 0

    async def fetch(self, text: Text, arguments: Mapping[str, Json], *, limit: int) -> list[Row]:
        """Return rows; see `Session`."""
        values = {name: bound(arguments, name) for name in text.parameters}
        self.guardian.is_own = False
        try:
            return await self._timed(self._rows(text.sql, values, limit))
        except sqlite3.Error as error:
            if self.guardian.denied:
                raise WriteAttempt(f"{self.guardian.denied[-1]} in {text.sql[:80]!r}") from error
            raise _understood(error) from error
        except (ValueError, sqlite3.Warning) as error:
            raise WriteAttempt(f"more than one statement: {text.sql[:80]!r}") from error
        finally:
            self.guardian.is_own = True

    async def _rows(self, sql: str, values: Mapping[str, Json], limit: int) -> list[Row]:
        async with self.connection.execute(sql, values) as cursor:
            found = await cursor.fetchmany(limit)
            names = [one[0] for one in cursor.description or ()]
        return [{name: to_json(value) for name, value in zip(names, row, strict=True)} for row in found]

    async def _timed(self, work: Awaitable[T]) -> T:
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=self.limits.statement_seconds)
        if done:
            return task.result()
        await self.connection.interrupt()
        with contextlib.suppress(sqlite3.Error):
            await task
        raise Unavailable(f"The statement took longer than {self.limits.statement_seconds:g} seconds and was stopped.")

    async def hazards(self, binding: Binding) -> Sequence[str]:
        """Return why the write cannot be tried and taken back; see `Session`."""
        return await sqlite_catalog.hazards(self.connection, binding)

    async def changed(self) -> Mapping[str, int]:
        """Return how many rows have been written; see `Session`."""
        return {"": self.connection.total_changes - self.changed_before}

    async def has_ended(self) -> bool:
        """Return whether the transaction is another; see `Session`."""
        return not self.connection.in_transaction

    async def check_deferred(self) -> None:
        """Check what would be checked at COMMIT; see `Session`."""
        if await sqlite_catalog.breaks_foreign_keys(self.connection):
            raise Refused("It would leave a foreign key without its row. Nothing was changed.")

    async def commit(self) -> None:
        """Commit; see `Session`."""
        try:
            await self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self.connection.in_transaction:  # it is all still there to be rolled back
                raise _understood(error) from error
            raise CommitUnclear("The database failed while it was committing.") from error


class SqliteFile:
    """One SQLite file; see `sandbox.sql.session.System`."""

    def __init__(self, path: str, folders: Sequence[Path]) -> None:
        """`folders` are the only ones in which a file may be; none means that none may."""
        self._path = path
        self._folders = folders

    @asynccontextmanager
    async def session(self, binding: Binding, mode: Mode) -> AsyncGenerator[Session]:
        """Open a transaction; see `System`."""
        writes, functions = frozenset[str](), _FUNCTIONS | {name.lower() for name in binding.functions}
        if mode is not Mode.READ and binding.written is not None:
            written = binding.written
            writes = frozenset(filter(None, [written.table, *written.also, written.receipts]))
        guardian = _Guardian(writes=writes, functions=frozenset(functions))
        async with self._opened(binding.limits, mode) as connection:
            await connection.set_authorizer(guardian.decide)
            try:
                await connection.execute("BEGIN" if mode is Mode.READ else "BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise _understood(error) from error
            transaction = _Transaction(connection, guardian, binding.limits, connection.total_changes)
            try:
                yield transaction
            finally:
                guardian.is_own = True
                await connection.interrupt()
                if connection.in_transaction:
                    await connection.rollback()

    async def describe(self, tables: Sequence[str], schema: str) -> Mapping[str, Table]:
        """Return the tables that there are; see `System`."""
        del schema
        async with self._opened(Limits(), Mode.READ) as connection:
            return await sqlite_catalog.describe(connection, tables)

    async def close(self) -> None:
        """Nothing is kept open."""

    @asynccontextmanager
    async def _opened(self, limits: Limits, mode: Mode) -> AsyncGenerator[aiosqlite.Connection]:
        uri = f"file:{quote(str(self._resolved()))}?mode={'ro' if mode is Mode.READ else 'rw'}"
        try:
            connection = await aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=limits.lock_seconds)
        except sqlite3.Error as error:
            raise Unavailable("The database file cannot be opened. Nothing was sent.") from error
        try:
            pragmas = ["foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON"]
            for pragma in [*pragmas, *(["query_only = ON"] if mode is Mode.READ else [])]:
                await connection.execute(f"PRAGMA {pragma}")
            yield connection
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"The file is no database that can be used: {error}.") from error
        finally:
            await asyncio.shield(connection.close())

    def _resolved(self) -> Path:
        """Return where the file really is, every link followed, if that is in an allowed folder."""
        try:
            real = Path(self._path).resolve(strict=True)
            allowed = [folder.resolve(strict=True) for folder in self._folders]
        except OSError as error:
            raise Unavailable("There is no such database file in an allowed folder. Nothing was sent.") from error
        if not real.is_file() or not any(real.is_relative_to(folder) for folder in allowed):
            raise Unavailable("There is no such database file in an allowed folder. Nothing was sent.")
        return real


def bound(arguments: Mapping[str, Json], name: str) -> Json:
    """Return the value of the parameter `name`; one that ends in `_given` tells whether the rest of it was given."""
    if name not in arguments and name.endswith(GIVEN):
        return name.removesuffix(GIVEN) in arguments
    return arguments.get(name)


def _understood(error: sqlite3.Error) -> Refused | Unavailable:
    """Return what `error` proves: the transaction is still there to be rolled back, so nothing was done."""
    if isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "interrupted" in str(error)):
        return Unavailable(f"The database is busy: {error}. Nothing was changed; try again.")
    return Refused(f"The database refused it: {error}. Nothing was changed.")
