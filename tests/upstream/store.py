"""What the test upstream keeps, in one SQLite file: records, the journal of effects and requests, faults to come.

Tests read and write the file directly, so that they see what happened even when the server is gone.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from upstream.faults import Fault

Json = Any
T = TypeVar("T")

_TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS item (id INTEGER PRIMARY KEY, name TEXT, quantity INTEGER, version INTEGER);
CREATE TABLE IF NOT EXISTS ticket (id INTEGER PRIMARY KEY, title TEXT, reference TEXT);
CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT);
CREATE TABLE IF NOT EXISTS account
    (class TEXT, id INTEGER, balance INTEGER DEFAULT 0, version INTEGER DEFAULT 1, PRIMARY KEY (class, id));
CREATE TABLE IF NOT EXISTS charge
    (id INTEGER PRIMARY KEY, class TEXT, account INTEGER, amount INTEGER, reference TEXT);
CREATE TABLE IF NOT EXISTS granted (number INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS broken (class TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS answer (key TEXT PRIMARY KEY, request TEXT, status INTEGER, body TEXT);
CREATE TABLE IF NOT EXISTS effect (number INTEGER PRIMARY KEY, kind TEXT, reference TEXT, detail TEXT);
CREATE TABLE IF NOT EXISTS request (number INTEGER PRIMARY KEY, method TEXT, path TEXT, headers TEXT, body TEXT);
CREATE TABLE IF NOT EXISTS fault
    (number INTEGER PRIMARY KEY, kind TEXT, method TEXT, path TEXT, argument REAL, remaining INTEGER);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something that really happened: `reference` is the item's id, the ticket's reference or the note's text."""

    kind: str
    reference: str
    detail: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fault that is about to happen."""

    kind: Fault
    argument: float


class Store:
    """The file. One connection, autocommit; `atomically` for what must happen together."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._database.executescript(_TABLES)
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.row_factory = sqlite3.Row

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def atomically(self, change: Callable[[], T]) -> T:
        """Return what `change` returns; all it wrote is there, or nothing."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            result = change()
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
        return result

    def rows(self, query: str, *values: object) -> list[dict[str, Json]]:
        """Return the rows that `query` finds or writes (with RETURNING)."""
        return [dict(row) for row in self._database.execute(query, values)]

    def row(self, query: str, *values: object) -> dict[str, Json] | None:
        """Return the first row, if any."""
        return next(iter(self.rows(query, *values)), None)

    def note_effect(self, kind: str, reference: object, detail: Json) -> None:
        """Count an effect."""
        self.rows("INSERT INTO effect VALUES (NULL, ?, ?, ?)", kind, str(reference), json.dumps(detail))

    def effects(self, reference: object = None, *, kind: str | None = None) -> list[Effect]:
        """Return the effects so far, in order: all, or those on `reference` or of `kind`."""
        found = [
            Effect(kind=row["kind"], reference=row["reference"], detail=json.loads(row["detail"]))
            for row in self.rows("SELECT * FROM effect ORDER BY number")
        ]
        return [
            e
            for e in found
            if reference in {None, e.reference} or str(reference) == e.reference
            if kind in {None, e.kind}
        ]

    def note_request(self, request: Received) -> None:
        """Write down that `request` arrived."""
        headers = json.dumps(request.headers)
        self.rows("INSERT INTO request VALUES (NULL, ?, ?, ?, ?)", request.method, request.path, headers, request.body)

    def requests(self, method: str | None = None) -> list[Received]:
        """Return the requests that arrived, in order."""
        return [
            Received(method=row["method"], path=row["path"], headers=json.loads(row["headers"]), body=row["body"])
            for row in self.rows("SELECT * FROM request ORDER BY number")
            if method in {None, row["method"]}
        ]

    def plan_fault(
        self, kind: Fault, *, method: str = "*", path: str = "*", argument: float = 0, times: int = 1
    ) -> None:
        """Let the next `times` requests that match fail in the way of `kind`."""
        self.rows("INSERT INTO fault VALUES (NULL, ?, ?, ?, ?, ?)", kind, method, path, argument, times)

    def break_promise(self, upstream_class: str) -> None:
        """Let charges of `upstream_class` no longer keep what the class is about: its key, condition or lookup."""
        self.rows("INSERT OR IGNORE INTO broken VALUES (?)", upstream_class.lower())

    def mend_promises(self) -> None:
        """Let every class keep what it is about again."""
        self.rows("DELETE FROM broken")

    def keeps_promise(self, upstream_class: str) -> bool:
        """Return whether charges of `upstream_class` still keep what the class is about."""
        return self.row("SELECT * FROM broken WHERE class = ?", upstream_class.lower()) is None

    def take_fault(self, method: str, path: str) -> Planned | None:
        """Return the fault planned for this request, and count it."""
        for row in self.rows("SELECT * FROM fault WHERE remaining > 0 ORDER BY number"):
            if fnmatchcase(method, row["method"]) and fnmatchcase(path, row["path"]):
                self.rows("UPDATE fault SET remaining = remaining - 1 WHERE number = ?", row["number"])
                return Planned(kind=Fault(row["kind"]), argument=row["argument"])
        return None
