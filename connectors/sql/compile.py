"""Compiling a manifest: a pure function from what the owner declares and what the tables are to a connector spec."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from connectors.sdk.artefact import artefact_digest
from connectors.sdk.auth import AuthSpec, Basic
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sql import changes, queries, resources
from connectors.sql.live import Table
from connectors.sql.manifest import BadManifest, Manifest
from connectors.sql.scene import Scene
from connectors.sql.statements import BadStatement, statement

Json = Any
"""Any JSON value."""

ENTRY: Final = "connectors.sql.run:carry_out"
"""What the executor knows SQL connectors by."""


def needed_tables(manifest: Manifest) -> tuple[str, ...]:
    """Return every table that must be described: those the manifest names, and those its statements write.

    Raises:
        BadManifest: a statement cannot be read.
    """
    found = {*manifest.tables}
    for name, change in manifest.changes.items():
        try:
            found.update(filter(None, [statement(change.sql, manifest.engine, functions=change.functions).target]))
        except BadStatement as error:
            raise BadManifest(f"changes.{name}: {error}.") from error
    return tuple(sorted(found))


def compiled(manifest: Manifest, tables: Mapping[str, Table]) -> ConnectorSpec:
    """Return the connector that `manifest` declares, over `tables` as they were found.

    Raises:
        BadManifest: something does not fit; the message lists every problem.
    """
    problems, operations = list[str](), list[OperationSpec]()
    for name, makes in _parts(Scene(manifest=manifest, tables=tables)):
        try:
            operations += makes
        except ValidationError as error:
            problems.append(f"{name}: {'; '.join(one['msg'] for one in error.errors(include_url=False))}")
        except ValueError as error:
            problems.append(f"{name}: {error}")
    problems += _receipt_problems(manifest, tables)
    if not operations and not problems:
        problems.append("it declares no tool")
    if problems:
        raise BadManifest(f"The manifest of {manifest.name} will not do. {'. '.join(problems)}.")
    return ConnectorSpec(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        description=manifest.description,
        entry=ENTRY,
        runs="direct",
        speaks="sql",
        artefact_digest=artefact_digest("connectors.sql"),
        auth=AuthSpec() if manifest.engine == "sqlite" else Basic(),
        operations=tuple(operations),
    )


def _parts(scene: Scene) -> Iterator[tuple[str, Iterator[OperationSpec]]]:
    for name, resource in scene.manifest.resources.items():
        yield f"resources.{name}", resources.operations(scene, name, resource)
    for name, query in scene.manifest.queries.items():
        yield f"queries.{name}", queries.operations(scene, name, query)
    for name, change in scene.manifest.changes.items():
        yield f"changes.{name}", changes.operations(scene, name, change)


def _receipt_problems(manifest: Manifest, tables: Mapping[str, Table]) -> Iterator[str]:
    if manifest.receipts is None:
        return
    table = tables.get(manifest.receipts)
    if table is None or table.key != ("key",) or not {"key", "output"} <= table.names:
        yield (
            f"receipts: make the table with CREATE TABLE {manifest.receipts} (key text PRIMARY KEY, output text, "
            "at timestamp DEFAULT CURRENT_TIMESTAMP)"
        )
    if manifest.receipts in {resource.table for resource in manifest.resources.values()}:
        yield "receipts: no tool may touch the table of receipts"
