"""Composite tools over the test upstream, as their owners declare them."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Any

NUMBER = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
PUT = {
    "name": "put",
    "tool": "item_put",
    "connection": "upstream",
    "arguments": {"id": {"$from": "/input/id"}, "name": {"$from": "/input/name"}, "quantity": 3},
}
RENAME = {
    "name": "rename",
    "tool": "item_update",
    "connection": "upstream",
    "arguments": {"id": {"$from": "/input/old"}, "name": "retired"},
}
COUNT = {
    "name": "count",
    "tool": "item_update",
    "connection": "upstream",
    "arguments": {"id": {"$from": "/steps/put/id"}, "quantity": {"$from": "/steps/rename/quantity"}},
}
TELL = {
    "name": "tell",
    "tool": "note_post",
    "connection": "upstream",
    "arguments": {"text": {"$from": "/steps/put/name"}},
}

LOOK = {"name": "look", "tool": "item_get", "connection": "upstream", "arguments": {"id": {"$from": "/input/old"}}}
COPY = {
    "name": "copy",
    "tool": "item_put",
    "connection": "upstream",
    "arguments": {
        "id": {"$from": "/input/id"},
        "name": {"$from": "/input/name"},
        "quantity": {"$from": "/steps/look/quantity"},
    },
}


def restock(steps: Sequence[Mapping[str, Json]] = (PUT, RENAME, COUNT), **changes: Json) -> dict[str, Json]:
    """Return a declaration: an item is added, an old one renamed, and the new one gets the quantity of the old."""
    return {
        "name": "restock",
        "title": "Replace an item",
        "description": "Adds an item, renames the old one, and counts the new one like it.",
        "environment": "dev",
        "input_schema": {
            "type": "object",
            "required": ["id", "name"],
            "additionalProperties": False,
            "properties": {"id": NUMBER, "name": {"type": "string"}, "old": {**NUMBER, "default": 1}},
        },
        "examples": [{"id": 40, "name": "ruler"}],
        "steps": [dict(step) for step in steps],
        **changes,
    }


def over(connection: str, steps: Sequence[Mapping[str, Json]] = (PUT, RENAME, COUNT)) -> list[dict[str, Json]]:
    """Return `steps` over a connection of another name."""
    return [{**step, "connection": connection} for step in steps]


def changed(step: Mapping[str, Json], **arguments: Json) -> dict[str, Json]:
    """Return `step` with other arguments."""
    return {**step, "arguments": {**step["arguments"], **arguments}}
