"""What a manifest's parts are compiled against, and the arguments of its statements."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from connectors.sdk.portable import bound_integers
from connectors.sql import shapes
from connectors.sql.live import Table
from connectors.sql.manifest import Manifest
from connectors.sql.statements import Statement

Json = Any
"""Any JSON value."""

_AROUND_SECONDS: Final = 5
"""What connecting, locking and reading take at most beside the statement itself."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is compiled against what."""

    manifest: Manifest
    tables: Mapping[str, Table]

    def table(self, name: str) -> Table:
        """Return the table called `name`.

        Raises:
            ValueError: there is none, or it has no key.
        """
        table = self.tables.get(name)
        if table is None:
            raise ValueError(f"there is no table {name}")
        if not table.key:
            raise ValueError(f"the table {name} has no primary key, so no row of it can be told from another")
        return table

    def refuse_receipts(self, found: Statement) -> None:
        """Let a statement pass that leaves the hub's receipts alone.

        Raises:
            ValueError: it does not.
        """
        if self.manifest.receipts is not None and self.manifest.receipts in found.tables:
            raise ValueError("no tool may touch the table of receipts")

    @property
    def timeout_seconds(self) -> int:
        """Return how long a call may take in all."""
        return min(
            300, ceil(self.manifest.limits.statement_seconds + self.manifest.limits.lock_seconds) + _AROUND_SECONDS
        )


def parameters_of(found: Statement, declared: Mapping[str, Mapping[str, Json]]) -> dict[str, Json]:
    """Return the schema of the statement's arguments.

    Raises:
        ValueError: a parameter is used and not declared, or declared and not used.
    """
    used = {*found.parameters}
    if used != {*declared}:
        missing, idle = sorted(used - {*declared}), sorted({*declared} - used)
        raise ValueError("; ".join([*(f"declare :{one}" for one in missing), *(f":{one} is not used" for one in idle)]))
    properties = {name: dict(schema) for name, schema in declared.items()}
    for name, schema in properties.items():
        if not isinstance(schema.get("type"), str) or schema["type"] not in {"string", "integer", "number", "boolean"}:
            raise ValueError(f":{name} is a string, an integer, a number or a boolean; say which as its type")
        bound_integers(schema)
    return shapes.arguments(properties, required=properties)
