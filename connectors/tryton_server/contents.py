"""Owns looking at everything a Tryton holds: each row of each table, but for what signing in and writing move."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from threading import Lock

Record = Mapping[str, object]
"""The columns of a row, by name."""

_NOT_BUSINESS = frozenset({"ir_session", "ir_cache", "ir_cache_keyring", "res_user_login_attempt", "sqlite_sequence"})
"""What signing in and reading touch."""

_RECORDS_OF_WORK = frozenset({"ir_model_log", "ir_queue"})
"""What was done and what is to be done: both grow with an undo too. That previews leave them alone has its own test."""

_OF_EVERY_WRITE = frozenset({"create_date", "create_uid", "write_date", "write_uid"})
"""Who wrote a row and when: these move even when a write changes nothing."""


class Watch:
    """Looks at everything again and again, and only anew when something has been written since the last look."""

    def __init__(self, database_file: Path) -> None:
        self._file = database_file
        self._lock = Lock()
        # SQLite tells a connection by this number whether another one has written; a look may be from any thread
        self._connection = sqlite3.connect(f"file:{database_file}?mode=ro", uri=True, check_same_thread=False)
        self._version: int | None = None
        self._seen: dict[str, Record] = {}

    def everything(self) -> dict[str, Record]:
        """Return the rows as `everything` does."""
        with self._lock:
            version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
            if version != self._version:
                self._version, self._seen = version, everything(self._file)
            return dict(self._seen)

    def close(self) -> None:
        """Look no more."""
        self._connection.close()


def everything(database_file: Path) -> dict[str, Record]:
    """Return the rows of a Tryton on SQLite as `{"party.party/3": {column: value}}`."""
    with closing(sqlite3.connect(f"file:{database_file}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        models = {str(row["name"]).replace(".", "_"): str(row["name"]) for row in _rows(connection, "ir_model")}
        return {
            f"{models.get(table, table)}/{row['id']}": _record(row)
            for table in _tables(connection)
            for row in _rows(connection, table)
        }


def business(tables: Iterable[str]) -> Iterator[str]:
    """Return the tables that signing in and keeping track of work do not move."""
    return (table for table in tables if table not in _NOT_BUSINESS | _RECORDS_OF_WORK)


def business_columns(columns: Iterable[str]) -> Iterator[str]:
    """Return the columns that do not move when a write changes nothing."""
    return (column for column in columns if column not in _OF_EVERY_WRITE)


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return business(str(row["name"]) for row in named)


def _rows(connection: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    return connection.execute(f'SELECT * FROM "{table}"').fetchall()  # noqa: S608  # the schema's own name


def _record(row: sqlite3.Row) -> Record:
    return {name: row[name] for name in business_columns(row.keys())}
