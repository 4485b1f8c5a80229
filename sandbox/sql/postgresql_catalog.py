"""What PostgreSQL's own catalog says: columns and keys, what happens beside a write, and what a plan would do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from connectors.sql.binding import Binding, Written
from connectors.sql.live import Column, Shape, Table

Json = Any
"""Any JSON value."""
Line = Any
"""A connection, transaction or record of the driver, which ships no types."""

_SHAPES: Final[Mapping[str, Shape]] = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("float4", "float8"), "number"),
    **dict.fromkeys(("timestamp", "timestamptz"), "timestamp"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    "numeric": "decimal",
    "bool": "boolean",
    "date": "date",
    "time": "time",
    "uuid": "uuid",
    "bytea": "bytes",
}
_COLUMNS: Final = """
SELECT a.attname AS name, t.typname AS type, NOT a.attnotnull AS nullable, a.attgenerated <> '' AS generated,
       a.attidentity::text AS identity, pg_get_expr(d.adbin, d.adrelid) AS fills
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEYS: Final = """
SELECT i.indisprimary AS is_key, array_agg(a.attname::text ORDER BY k.place) AS columns
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indexprs IS NULL AND k.place <= i.indnkeyatts
GROUP BY i.indexrelid, i.indisprimary
"""
_TABLES: Final = """
SELECT c.relname AS name, c.relkind::text AS kind, c.relhassubclass AS has_children,
       EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN') AS has_rules,
       ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger t
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D') AS triggers
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = ANY($2)
"""
_CASCADES: Final = """
SELECT DISTINCT CASE WHEN beside.nspname = $1 THEN child.relname ELSE beside.nspname || '.' || child.relname END AS name
FROM pg_catalog.pg_constraint f
JOIN pg_catalog.pg_class parent ON parent.oid = f.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = parent.relnamespace
JOIN pg_catalog.pg_class child ON child.oid = f.conrelid
JOIN pg_catalog.pg_namespace beside ON beside.oid = child.relnamespace
WHERE f.contype = 'f' AND n.nspname = $1 AND parent.relname = ANY($2)
  AND (CASE WHEN $3 THEN f.confupdtype ELSE f.confdeltype END) IN ('c', 'n', 'd')
"""
_FUNCTIONS: Final = """
SELECT DISTINCT p.proname AS name FROM pg_catalog.pg_proc p
WHERE lower(p.proname) = ANY($1) AND (p.provolatile = 'v' OR p.prokind = 'p')
"""
_CHANGED: Final = """
SELECT CASE WHEN schemaname = $1 THEN relname ELSE schemaname || '.' || relname END AS name,
       n_tup_ins + n_tup_upd + n_tup_del AS rows
FROM pg_catalog.pg_stat_xact_user_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0
"""


async def describe(connection: Line, tables: Sequence[str], schema: str) -> Mapping[str, Table]:
    """Return those of `tables` that there are."""
    found = dict[str, Table]()
    for name in tables:
        columns = tuple(_column(row) for row in await connection.fetch(_COLUMNS, schema, name))
        keys = await connection.fetch(_KEYS, schema, name)
        key = next((tuple(row["columns"]) for row in keys if row["is_key"]), ())
        if columns:
            unique = tuple(frozenset(row["columns"]) for row in keys)
            found[name] = Table(name=name, columns=columns, key=key, unique=unique)
    return found


def _column(row: Mapping[str, Any]) -> Column:
    constant, fills = _constant(row["fills"]), "nothing"
    if row["identity"]:
        fills = "computed"
    elif row["fills"] is not None:
        fills = "computed" if constant is None else "constant"
    return Column(
        name=row["name"],
        shape=_SHAPES.get(row["type"], "text"),
        nullable=row["nullable"],
        fills=cast("Any", fills),
        constant=constant,
        generated=row["generated"] or row["identity"] == "a",
    )


def _constant(default: str | None) -> Json:
    if default is None:
        return None
    text = default.split("::")[0].strip()
    if text in {"true", "false"}:
        return text == "true"
    if text.startswith("'") and text.endswith("'") and "'" not in text[1:-1]:
        return text[1:-1] if default.endswith(("::text", "::character varying", "::bpchar")) else None
    return int(text) if text.removeprefix("-").isdigit() and "::" not in default else None


async def hazards(connection: Line, binding: Binding) -> Sequence[str]:
    """Return why `binding` cannot be tried and taken back."""
    written = binding.written
    concerned = sorted({written.table, *written.also}) if written else []
    rows = await connection.fetch(_TABLES, binding.schema_name, sorted({*binding.tables, *concerned}))
    found = [*_hazards_of_tables(binding, {row["name"]: row for row in rows})]
    if binding.functions:
        volatile = await connection.fetch(_FUNCTIONS, [name.lower() for name in binding.functions])
        found += [f"the function {row['name']} is volatile: it may do anything" for row in volatile]
    if written is not None and binding.kind != "insert":
        is_update = binding.kind == "update"
        children = await connection.fetch(_CASCADES, binding.schema_name, concerned, is_update)
        others = [row["name"] for row in children if row["name"] not in concerned]
        found += [f"rows of {name} would change too, by a foreign key. List it under also" for name in others]
    if written is not None and await connection.fetchval("SHOW track_counts") != "on":
        found.append("track_counts is off, so nobody could say how many rows change")
    return found


def _hazards_of_tables(binding: Binding, known: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    written = binding.written
    concerned = {written.table, *written.also} if written else set[str]()
    for name in sorted({*binding.tables, *concerned}):
        table = known.get(name)
        if table is None:
            yield f"there is no table {name} in {binding.schema_name}"
        elif table["kind"] == "f":
            yield f"{name} is a foreign table: it stands in another system, which no rollback reaches"
        elif written is not None and name in concerned:
            yield from _hazards_of_written(name, table, written)
        elif written is not None and table["kind"] == "v":
            yield f"{name} is a view, and what it calls may outlive a rollback; let the write name tables alone"


def _hazards_of_written(name: str, table: Mapping[str, Any], written: Written) -> Iterator[str]:
    if table["kind"] != "r" or table["has_children"]:
        yield f"{name} is a view, or has partitions or children; write a plain table"
    elif table["has_rules"]:
        yield f"{name} has rules, which make other statements of a write"
    for trigger in sorted({*table["triggers"]} - {*written.triggers}):
        yield f"{name} has the trigger {trigger}; its effects may outlive a rollback. List it under triggers"


async def changed(connection: Line, schema: str) -> Mapping[str, int]:
    """Return how many rows this transaction has written, by table, those of other schemas with theirs."""
    return {row["name"]: row["rows"] for row in await connection.fetch(_CHANGED, schema)}


@dataclass(slots=True)
class PlanReading:
    """What a plan would do."""

    written: set[str] = field(default_factory=set[str])
    foreign: set[str] = field(default_factory=set[str])


def reading_of(plan: Json) -> PlanReading:
    """Return what the plan, as EXPLAIN shows it, would write and where it would reach."""
    found = PlanReading()
    for node in _nodes(plan):
        kind, name = str(node.get("Node Type", "")), str(node.get("Relation Name", ""))
        if kind in {"ModifyTable", "Insert", "Update", "Delete", "Merge"}:
            found.written.add(name)
        if kind.startswith("Foreign"):
            found.foreign.add(name or "a table")
    return found


def _nodes(value: Json) -> Iterator[dict[str, Json]]:
    if isinstance(value, list):
        for one in cast("list[Json]", value):
            yield from _nodes(one)
    elif isinstance(value, dict):
        node = cast("dict[str, Json]", value)
        if "Node Type" in node:
            yield node
        for one in node.values():
            yield from _nodes(one)
