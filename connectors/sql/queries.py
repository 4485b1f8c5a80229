"""Compiling queries: tools that are one SELECT."""

from collections.abc import Iterator

from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Effect
from connectors.sql import shapes
from connectors.sql.binding import Binding
from connectors.sql.manifest import Query
from connectors.sql.scene import Scene, parameters_of
from connectors.sql.statements import statement


def operations(scene: Scene, name: str, query: Query) -> Iterator[OperationSpec]:
    """Yield the one tool that `query` is.

    Raises:
        ValueError: it contradicts itself.
    """
    manifest = scene.manifest
    read = statement(query.sql, manifest.engine, functions=query.functions)
    if read.kind != "select":
        raise ValueError(f"it is declared to read, and its statement is {read.kind.upper()}; declare it under changes")
    scene.refuse_receipts(read)
    binding = Binding(
        engine=manifest.engine,
        schema_name=manifest.db_schema,
        kind="select",
        statement=read.text,
        tables=read.tables,
        functions=query.functions,
        read_role=manifest.read_role,
        limits=manifest.limits,
    )
    yield OperationSpec(
        name=name,
        title=query.title or name.replace("_", " ").capitalize(),
        description=query.description,
        effect=Effect.READ,
        tier=query.tier,
        input_schema=parameters_of(read, query.parameters),
        output_schema=shapes.rows({"type": "object"}),
        data_classes=query.data_classes,
        max_unsafe_requests=0,
        timeout_seconds=scene.timeout_seconds,
        binding=binding.model_dump(mode="json"),
    )
