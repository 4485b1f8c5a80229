"""Compiling resources: find, get, create, update and delete of one table, derived from its columns and its key."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connectors.sdk.spec import Compensation, OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier
from connectors.sql import shapes
from connectors.sql.binding import Binding
from connectors.sql.changes import Plan
from connectors.sql.live import Column, Table
from connectors.sql.manifest import Resource, ResourceOperation
from connectors.sql.scene import Scene
from connectors.sql.statements import Statement, quoted, statement

Json = Any
"""Any JSON value."""

GIVEN: Final = "_given"
"""`name_given` tells a statement whether the optional argument `name` was given."""
_SEARCHABLE: Final = frozenset({"integer", "text", "boolean", "date", "uuid", "decimal"})


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one table, as one resource."""

    scene: Scene
    name: str
    said: Resource
    table: Table

    @property
    def title(self) -> str:
        return self.said.title or self.name.replace("_", " ")

    def has(self, operation: ResourceOperation) -> bool:
        return operation in self.said.operations

    def column(self, name: str) -> Column:
        return self.table.column(name)

    def statement(self, sql: str) -> Statement:
        return statement(sql, self.scene.manifest.engine)

    def reading(self, sql: str, *, is_single: bool = False) -> dict[str, Json]:
        manifest, read = self.scene.manifest, self.statement(sql)
        binding = Binding(
            engine=manifest.engine,
            schema_name=manifest.db_schema,
            kind="select",
            statement=read.text,
            tables=read.tables,
            is_single=is_single,
            read_role=manifest.read_role,
            limits=manifest.limits,
        )
        return binding.model_dump(mode="json")

    def of_key(self) -> str:
        return " AND ".join(f"{quoted(name)} = :{name}" for name in self.table.key)


def operations(scene: Scene, name: str, said: Resource) -> Iterator[OperationSpec]:
    """Yield the tools of one resource.

    Raises:
        ValueError: it does not fit its table.
    """
    rows = _Rows(scene, name, said, scene.table(said.table))
    problems = [*_problems(rows)]
    if problems:
        raise ValueError("; ".join(problems))
    for operation in said.operations:
        yield _MAKERS[operation](rows)


def _problems(rows: _Rows) -> Iterator[str]:
    table, said = rows.table, rows.said
    for column in sorted({*said.shown, *said.writable, *filter(None, [said.guard, said.reference])} - table.names):
        yield f"the table {table.name} has no column {column}"
    if missing := {*table.key} - {*said.shown}:
        yield f"show the key {sorted(missing)}: without it no row can be named"
    known = {column.name: column for column in table.columns}
    if said.guard in known and known[said.guard].shape != "integer":
        yield f"the guard {said.guard} is no integer; leave it out and whole rows are compared"
    if said.reference in known and frozenset({said.reference}) not in table.unique:
        yield f"the reference {said.reference} is not unique in {table.name}, so it proves nothing; make it so"


def _find(rows: _Rows) -> OperationSpec:
    names = [name for name in rows.said.shown if rows.column(name).shape in _SEARCHABLE]
    wanted = " AND ".join(f"(NOT :{name}{GIVEN} OR {quoted(name)} = :{name})" for name in names)
    where = f" WHERE {wanted}" if names else ""
    columns, key = _list(rows.said.shown), _list(rows.table.key)
    return OperationSpec(
        name=f"{rows.name}_find",
        title=f"Find {rows.title}"[:120],
        description=f"Find rows of {rows.title} by any of their columns; without arguments, the first ones.",
        input_schema=shapes.arguments({name: shapes.argument(rows.column(name)) for name in names}, required=()),
        output_schema=shapes.rows(shapes.row(rows.table, rows.said.shown)),
        binding=rows.reading(f"SELECT {columns} FROM {quoted(rows.table.name)}{where} ORDER BY {key}"),  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
        **_as_read(rows, "find"),
    )


def _get(rows: _Rows) -> OperationSpec:
    sql = f"SELECT {_list(rows.said.shown)} FROM {quoted(rows.table.name)} WHERE {rows.of_key()}"  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
    return OperationSpec(
        name=f"{rows.name}_get",
        title=f"Read {rows.title}"[:120],
        description=f"Read one row of {rows.title} by its key.",
        input_schema=_key_only(rows),
        output_schema=shapes.row(rows.table, rows.said.shown),
        binding=rows.reading(sql, is_single=True),
        **_as_read(rows, "get"),
    )


def _create(rows: _Rows) -> OperationSpec:
    said = rows.said
    hidden = [said.guard] if said.guard and rows.column(said.guard).fills == "nothing" else []
    columns = [*said.writable, *([said.reference] if said.reference else []), *hidden]
    values = [*(f":{name}" for name in columns[: len(columns) - len(hidden)]), *("1" for _ in hidden)]
    write = rows.statement(f"INSERT INTO {quoted(rows.table.name)} ({_list(columns)}) VALUES ({', '.join(values)})")  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
    properties, required = dict[str, dict[str, Json]](), set[str]()
    for column in map(rows.column, said.writable):
        properties[column.name] = shapes.argument(column)
        if column.fills == "constant" and column.constant is not None:
            properties[column.name]["default"] = column.constant
        elif not column.nullable or column.fills == "computed":
            required.add(column.name)
    undo = _undone_by_delete(rows) if rows.has("delete") else _no_undo()
    return _write(rows, "create", Effect.CREATE, write, {
        "description": f"Make a row of {rows.title}.",
        "input_schema": shapes.arguments(properties, required=required),
        **undo,
    })  # fmt: skip


def _update(rows: _Rows) -> OperationSpec:
    changeable = [name for name in rows.said.writable if name not in rows.table.key]
    sets = [f"{quoted(name)} = CASE WHEN :{name}{GIVEN} THEN :{name} ELSE {quoted(name)} END" for name in changeable]
    if rows.said.guard:
        sets.append(f"{quoted(rows.said.guard)} = {quoted(rows.said.guard)} + 1")
    write = rows.statement(f"UPDATE {quoted(rows.table.name)} SET {', '.join(sets)} WHERE {rows.of_key()}")  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
    names = (*rows.table.key, *changeable)
    properties = {name: shapes.argument(rows.column(name)) for name in names}
    pointers = {name: f"/input/{name}" for name in rows.table.key}
    pointers |= {name: f"/before/0/{name}" for name in changeable}
    residue = tuple(filter(None, [rows.said.guard, *rows.said.volatile]))
    return _write(rows, "update", Effect.UPDATE, write, {
        "description": f"Change a row of {rows.title}; what is not given stays as it is.",
        "input_schema": shapes.arguments(properties, required=rows.table.key),
        **_undo(f"{rows.name}_update", pointers, residue),
    })  # fmt: skip


def _delete(rows: _Rows) -> OperationSpec:
    write = rows.statement(f"DELETE FROM {quoted(rows.table.name)} WHERE {rows.of_key()}")  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
    writable = {*rows.said.writable}
    restored = writable | {rows.said.guard or "", rows.said.reference or ""}
    can_be_made_again = rows.has("create") and {*rows.table.key} <= writable and rows.table.names <= restored
    pointers = {name: f"/before/0/{name}" for name in rows.said.writable}
    residue = tuple(filter(None, [rows.said.guard, rows.said.reference]))
    return _write(rows, "delete", Effect.DELETE, write, {
        "description": f"Delete a row of {rows.title}.",
        "input_schema": _key_only(rows),
        **(_undo(f"{rows.name}_create", pointers, residue) if can_be_made_again else _no_undo()),
    })  # fmt: skip


_MAKERS: Final[Mapping[ResourceOperation, Callable[[_Rows], OperationSpec]]] = {
    "find": _find,
    "get": _get,
    "create": _create,
    "update": _update,
    "delete": _delete,
}


def _write(
    rows: _Rows, operation: ResourceOperation, effect: Effect, write: Statement, more: Mapping[str, Json]
) -> OperationSpec:
    reference = rows.said.reference if operation == "create" else None
    guard = None if operation == "create" else rows.said.guard
    plan = Plan(scene=rows.scene, write=write, said=rows.said, guard=guard, reference=reference)
    upstream_class, idempotency = plan.classes
    usual = Tier.HIGH if more["reversal"] is Reversal.NONE else Tier.MEDIUM
    return OperationSpec(
        name=f"{rows.name}_{operation}",
        title=f"{operation.capitalize()} {rows.title}"[:120],
        effect=effect,
        tier=rows.said.tiers.get(operation, Tier.HIGH if operation == "delete" else usual),
        output_schema=shapes.row(rows.table, rows.said.shown),
        fidelity=Fidelity.EXECUTED,
        upstream_class=upstream_class,
        idempotency=idempotency,
        volatile=plan.unknown,
        timeout_seconds=rows.scene.timeout_seconds,
        observable=True,
        binding=plan.binding().model_copy(update={"is_single": True}).model_dump(mode="json"),
        **more,
    )


def _as_read(rows: _Rows, operation: ResourceOperation) -> dict[str, Json]:
    return {
        "effect": Effect.READ,
        "tier": rows.said.tiers.get(operation, Tier.LOW),
        "data_classes": rows.said.data_classes,
        "max_unsafe_requests": 0,
        "timeout_seconds": rows.scene.timeout_seconds,
    }


def _undone_by_delete(rows: _Rows) -> dict[str, Json]:
    generated = [name for name in rows.table.key if name not in rows.said.writable]
    residue = tuple(f"the number that {name} has used up" for name in generated)
    return _undo(f"{rows.name}_delete", {name: f"/output/{name}" for name in rows.table.key}, residue)


def _undo(tool: str, pointers: Mapping[str, str], residue: tuple[str, ...]) -> dict[str, Json]:
    kind = Reversal.PARTIAL if residue else Reversal.EXACT
    return {
        "reversal": kind,
        "residue": residue,
        "compensation": Compensation(tool=tool, arguments=pointers, kind=kind),
    }


def _no_undo() -> dict[str, Json]:
    return {"reversal": Reversal.NONE}


def _key_only(rows: _Rows) -> dict[str, Json]:
    return shapes.arguments(
        {name: shapes.argument(rows.column(name)) for name in rows.table.key}, required=rows.table.key
    )


def _list(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(quoted, names))
