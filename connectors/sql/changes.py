"""Compiling changes: tools that write one table, by a statement of the manifest or by a derived one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connectors.sdk.spec import Idempotency, OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, UpstreamClass
from connectors.sql import shapes
from connectors.sql.binding import Binding, Kind, Text, Written
from connectors.sql.live import Table
from connectors.sql.manifest import Change, Manifest, Writes
from connectors.sql.scene import Scene, parameters_of
from connectors.sql.statements import CLOCKS, Statement, quoted, statement

_EFFECTS: Final[Mapping[Kind, Effect]] = {
    "insert": Effect.CREATE,
    "update": Effect.UPDATE,
    "delete": Effect.DELETE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One write: its statement, its table, and what was said of it."""

    scene: Scene
    write: Statement
    said: Writes
    functions: tuple[str, ...] = ()
    guard: str | None = None
    reference: str | None = None
    known_columns: frozenset[str] = frozenset()
    """Columns of an insert that get a value of the caller's."""

    @property
    def table(self) -> Table:
        """Return the table it writes."""
        return self.scene.table(self.write.target or "")

    @property
    def classes(self) -> tuple[UpstreamClass, Idempotency | None]:
        """Return the upstream class, and what makes it so.

        A receipt in the same transaction, or a unique reference, makes the same key apply once: A. An update or delete
        finds its rows again only as they were: B. An insert that nothing tells from another: D.
        """
        if self.scene.manifest.receipts is not None:
            return UpstreamClass.A, Idempotency(kind="field", name="key")
        if self.write.kind == "insert":
            if self.reference is not None:
                return UpstreamClass.A, Idempotency(kind="field", name=self.reference)
            return UpstreamClass.D, None
        return UpstreamClass.B, None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the columns that nobody can know before the commit: generated, or filled by a clock."""
        clocks = {name for name, to in self.write.assigned.items() if list(to.find_all(*CLOCKS))}
        filled = set[str]()
        if self.write.kind == "insert":
            given = {*self.write.assigned}
            filled = {one.name for one in self.table.columns if one.fills == "computed" and one.name not in given}
        reference = {self.reference} if self.write.kind == "insert" and self.reference else set[str]()
        return tuple(sorted(clocks | filled | reference | {*self.said.volatile}))

    def binding(self) -> Binding:
        """Return what the broker needs.

        Raises:
            ValueError: columns are not there, or the statement may not write them.
        """
        problems = [*_column_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        self.scene.refuse_receipts(self.write)
        manifest, table = self.scene.manifest, self.table
        returning = f"{self.write.text.sql} RETURNING {', '.join(map(quoted, table.key))}"
        return Binding(
            engine=manifest.engine,
            schema_name=manifest.db_schema,
            kind=self.write.kind,
            statement=Text(sql=returning, parameters=self.write.parameters),
            tables=self.write.tables,
            functions=self.functions,
            read_role=manifest.read_role,
            limits=manifest.limits,
            written=Written(
                table=table.name,
                key=table.key,
                shown=self.said.shown,
                sensitive=self.said.sensitive,
                unknown=self.unknown,
                before=None if self.write.kind == "insert" else self._locked(self.write.concerned.text),
                record=_by_columns(self.scene.manifest, table, table.key),
                guard=self.guard,
                reference=self.reference,
                found=None if self.reference is None else _by_columns(manifest, table, (self.reference,)),
                receipts=manifest.receipts,
                triggers=self.said.triggers,
                also=self.said.also,
            ),
        )

    def _locked(self, text: Text) -> Text:
        lock = " FOR UPDATE" if self.scene.manifest.engine == "postgresql" else ""
        return text.model_copy(update={"sql": text.sql + lock})


def operations(scene: Scene, name: str, change: Change) -> Iterator[OperationSpec]:
    """Yield the one tool that `change` is.

    Raises:
        ValueError: it contradicts itself.
    """
    write = statement(change.sql, scene.manifest.engine, functions=change.functions)
    if write.kind == "select":
        raise ValueError("it is declared to write, and its statement is a SELECT; declare it under queries")
    if _EFFECTS[write.kind] is not change.effect:
        raise ValueError(
            f"its effect is {_EFFECTS[write.kind]}, not {change.effect}: the statement is {write.kind.upper()}"
        )
    plan = Plan(scene=scene, write=write, said=change, functions=change.functions)
    upstream_class, idempotency = plan.classes
    yield OperationSpec(
        name=name,
        title=change.title or name.replace("_", " ").capitalize(),
        description=change.description,
        effect=change.effect,
        tier=change.tier,
        input_schema=parameters_of(write, change.parameters),
        output_schema=shapes.rows(shapes.row(plan.table, change.shown)),
        fidelity=Fidelity.EXECUTED,
        upstream_class=upstream_class,
        idempotency=idempotency,
        volatile=plan.unknown,
        timeout_seconds=scene.timeout_seconds,
        observable=True,
        binding=plan.binding().model_dump(mode="json"),
    )


def _column_problems(plan: Plan) -> Iterator[str]:
    table, assigned = plan.table, {*plan.write.assigned}
    for name in (*plan.said.shown, *plan.said.sensitive, *plan.said.volatile, *sorted(assigned)):
        if name not in table.names:
            yield f"the table {table.name} has no column {name}"
    if missing := {*table.key} - {*plan.said.shown}:
        yield f"show the key {sorted(missing)}: without it no change can be named"
    if plan.write.kind == "update" and {*table.key} & assigned:
        yield "an update cannot change the key: the row could not be found again"
    if generated := sorted(one.name for one in table.columns if one.generated and one.name in assigned):
        yield f"only the database writes {generated}"


def _by_columns(manifest: Manifest, table: Table, columns: tuple[str, ...]) -> Text:
    where = " AND ".join(f"{quoted(name)} = :{name}" for name in columns)
    return statement(f"SELECT * FROM {quoted(table.name)} WHERE {where}", manifest.engine).text  # noqa: S608  # identifiers are quoted, and the whole is read and checked as a statement
