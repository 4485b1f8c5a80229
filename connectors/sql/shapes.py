"""The JSON Schemas of columns."""

from collections.abc import Iterable
from typing import Any, Final

from connectors.sdk.portable import LARGEST
from connectors.sql.live import Column, Shape, Table

Json = Any
"""Any JSON value."""

_SCHEMAS: Final[dict[Shape, dict[str, Json]]] = {
    "integer": {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST},
    "number": {"type": "number"},
    "decimal": {"type": "string", "pattern": r"^-?[0-9]{1,40}(\.[0-9]{1,20})?$"},
    "boolean": {"type": "boolean"},
    "text": {"type": "string", "maxLength": 10_000},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "maxLength": 30},
    "uuid": {"type": "string", "format": "uuid"},
    "json": {"type": "string", "description": "JSON as text.", "maxLength": 100_000},
    "bytes": {"type": "string", "description": "Bytes in base64.", "maxLength": 1_000_000},
}


def argument(column: Column) -> dict[str, Json]:
    """Return what an argument for `column` must be; an argument is left out, but never null."""
    return dict(_SCHEMAS[column.shape])


def answer(column: Column) -> dict[str, Json]:
    """Return what a value found in `column` is: looser than an argument, because a system may hold anything."""
    kind = _SCHEMAS[column.shape]["type"]
    return {"type": [kind, "null"] if column.nullable else kind}


def row(table: Table, shown: Iterable[str]) -> dict[str, Json]:
    """Return what one row is."""
    properties = {name: answer(table.column(name)) for name in shown}
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def rows(of: dict[str, Json]) -> dict[str, Json]:
    """Return what a list of rows is; `more` says that there are more than were read."""
    properties = {"rows": {"type": "array", "items": of}, "more": {"type": "boolean"}}
    return {"type": "object", "properties": properties, "required": ["more", "rows"]}


def arguments(properties: dict[str, dict[str, Json]], *, required: Iterable[str]) -> dict[str, Json]:
    """Return the schema of a tool's arguments."""
    return {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
        "additionalProperties": False,
    }
