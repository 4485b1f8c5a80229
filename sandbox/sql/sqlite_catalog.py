"""What SQLite's own catalog says: columns and keys, and what would happen beside a write."""

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final, Literal

import aiosqlite

from connectors.sql.binding import Binding
from connectors.sql.live import Column, Shape, Table

Json = Any
"""Any JSON value."""

_AFFINITIES: Final[Sequence[tuple[str, Shape]]] = (
    ("INT", "integer"),
    ("CHAR", "text"),
    ("CLOB", "text"),
    ("TEXT", "text"),
    ("BLOB", "bytes"),
    ("REAL", "number"),
    ("FLOA", "number"),
    ("DOUB", "number"),
    ("NUM", "number"),
    ("DEC", "number"),
)
_HARMLESS: Final = frozenset({"NO ACTION", "RESTRICT"})
_GAP: Final = r"(?:\s|/\*(?:[^*]|\*(?!/))*\*/|--[^\n]*\n)+"
_CONFLICT_CLAUSE: Final = re.compile(rf"\bON{_GAP}CONFLICT{_GAP}(REPLACE|IGNORE|ROLLBACK|FAIL)\b", re.IGNORECASE)
"""What a table does instead of refusing a row; SQLite counts no row that it deletes or leaves out so."""

_REPLACING: Final = re.compile(
    rf"\b(?:(?:INSERT|UPDATE){_GAP}OR{_GAP}REPLACE|REPLACE{_GAP}INTO)\b",
    re.IGNORECASE,
)
"""What a trigger may say to the same effect; the function `replace` is another thing."""


async def describe(connection: aiosqlite.Connection, tables: Sequence[str]) -> Mapping[str, Table]:
    """Return those of `tables` that there are."""
    found = {name: await _table(connection, name) for name in tables}
    return {name: table for name, table in found.items() if table.columns}


async def _table(connection: aiosqlite.Connection, name: str) -> Table:
    columns, key = list[Column](), list[tuple[int, str]]()
    rows = await _rows(
        connection, 'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)', name
    )
    keys = [row for row in rows if row[4]]
    for column, declared, is_required, default, place, hidden in rows:
        if place:
            key.append((place, column))
        is_rowid = bool(place) and len(keys) == 1 and str(declared).upper() == "INTEGER"
        columns.append(
            Column(
                name=column,
                shape=_shape(str(declared)),
                nullable=not (is_required or place),
                fills="computed" if is_rowid else _fills(default),
                constant=_constant(default),
                generated=bool(hidden),
            )
        )
    unique = [names async for names in _unique(connection, name)]
    return Table(name=name, columns=tuple(columns), key=tuple(one for _, one in sorted(key)), unique=tuple(unique))


async def _unique(connection: aiosqlite.Connection, name: str) -> AsyncGenerator[frozenset[str]]:
    for (index,) in await _rows(
        connection, 'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', name
    ):
        yield frozenset(str(row[0]) for row in await _rows(connection, "SELECT name FROM pragma_index_info(?)", index))


def _shape(declared: str) -> Shape:
    for part, shape in _AFFINITIES:
        if part in declared.upper():
            return shape
    return "text"


def _fills(default: str | None) -> Literal["nothing", "constant", "computed"]:
    if default is None or default.upper() == "NULL":
        return "nothing"
    return "constant" if _constant(default) is not None else "computed"


def _constant(default: str | None) -> Json:
    text = (default or "").strip()
    if text.startswith("'") and text.endswith("'") and "'" not in text[1:-1]:
        return text[1:-1]
    return int(text) if text.removeprefix("-").isdigit() else None


async def hazards(connection: aiosqlite.Connection, binding: Binding) -> Sequence[str]:
    """Return why the write of `binding` cannot be tried and taken back."""
    written = binding.written
    if written is None:
        return ()
    concerned = {written.table, *written.also}
    found = [*await _of_tables(connection, binding, concerned)]
    query = "SELECT tbl_name, name, coalesce(sql, '') FROM sqlite_master WHERE type = 'trigger'"
    for table, trigger, sql in await _rows(connection, query):
        if table in concerned and trigger not in written.triggers:
            found.append(
                f"{table} has the trigger {trigger}; its effects may outlive a rollback. List it under triggers"
            )
        elif table in concerned and _REPLACING.search(sql):
            found.append(
                f"The trigger {trigger} of {table} replaces rows: nobody could count those that it deletes for that. "
                "Let it delete and insert, or insert ON CONFLICT DO UPDATE"
            )
    found += await _cascades(connection, binding, concerned)
    return found


async def _of_tables(connection: aiosqlite.Connection, binding: Binding, concerned: set[str]) -> Sequence[str]:
    query = "SELECT name, type, coalesce(sql, '') FROM sqlite_master WHERE type IN ('table', 'view')"
    known = {name: (kind, sql) for name, kind, sql in await _rows(connection, query)}
    found = list[str]()
    for table in binding.tables:
        kind, sql = known.get(table, ("", ""))
        if not kind:
            found.append(f"there is no table {table}")
        elif "virtual table" in " ".join(sql.lower().split())[:40]:
            found.append(f"{table} is a virtual table, whose code may do anything")
        elif kind == "view" and binding.written is not None and table == binding.written.table:
            found.append(f"{table} is a view; write its table")
    for table in sorted(concerned & {*known}):
        if clause := _CONFLICT_CLAUSE.search(known[table][1]):
            found.append(
                f"{table} is declared with ON CONFLICT {clause[1].upper()}: nobody could say which other rows a write "
                "deletes or leaves out. Declare it without"
            )
    return found


async def _cascades(connection: aiosqlite.Connection, binding: Binding, concerned: set[str]) -> Sequence[str]:
    if binding.kind == "insert":
        return ()
    query = (
        'SELECT m.name, f."table", f.on_update, f.on_delete FROM sqlite_master m '
        "JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'"
    )
    found = list[str]()
    for child, parent, on_update, on_delete in await _rows(connection, query):
        action = on_update if binding.kind == "update" else on_delete
        if parent in concerned and action not in _HARMLESS and child not in concerned:
            found.append(f"rows of {child} would change too ({action.lower()}). List it under also")
    return found


async def breaks_foreign_keys(connection: aiosqlite.Connection) -> bool:
    """Return whether a deferred foreign key has lost its row."""
    deferred = await _rows(connection, "SELECT 1 FROM sqlite_master WHERE upper(sql) LIKE '%INITIALLY DEFERRED%'")
    return bool(deferred) and bool(await _rows(connection, "SELECT 1 FROM pragma_foreign_key_check LIMIT 1"))


async def _rows(connection: aiosqlite.Connection, sql: str, *values: Json) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.execute_fetchall(sql, values)]
