"""The output schema that clients see: the tool's own, or the hub's envelope for a call that is pending or refused."""

from collections.abc import Mapping
from typing import Any, Final, cast

from schemas.walking import LISTED, NAMED, SINGLE

Json = Any
"""Any JSON value."""

ENVELOPE: Final[Mapping[str, Json]] = {
    "type": "object",
    "title": "The hub's answer about a call that is pending, running, refused or failed",
    "required": ["status"],
    "properties": {
        "status": {"type": "string"},
        "message": {"type": "string"},
        "invocation_id": {"type": "string"},
        "poll_after_seconds": {"type": "number"},
        "expires_at": {"type": "string"},
        "status_url": {"type": "string"},
        "reason_code": {"type": "string"},
        "reason": {"type": "string"},
        "retryable": {"type": "boolean"},
        "retry_after_seconds": {"type": "number"},
        "changed_arguments": {"type": "object"},
        "steps": {"type": "array"},
    },
}
"""Small, since every tool of every list carries it; `invocation.v1.json` is the envelope in full."""


def envelope_schema(own: Mapping[str, Json]) -> dict[str, Json]:
    """Return the schema "an object that is as `own` says, or the hub's envelope".

    Definitions stay where references expect them, at the root, where some clients alone look for them; a reference to
    another place in `own` is led to where that place is now.
    """
    branch = {key: member for key, member in own.items() if key not in {"$schema", "$defs"}}
    merged: dict[str, Json] = {"type": "object", "anyOf": [_moved(branch), ENVELOPE]}
    if "$defs" in own:
        merged["$defs"] = {name: _moved(definition) for name, definition in own["$defs"].items()}
    return merged


def _moved(schema: Json) -> Json:
    if not isinstance(schema, dict):
        return schema
    moved = dict(cast("dict[str, Json]", schema))
    for keyword, member in moved.items():
        if keyword in NAMED:
            moved[keyword] = {name: _moved(child) for name, child in member.items()}
        elif keyword in LISTED:
            moved[keyword] = [_moved(child) for child in member]
        elif keyword in SINGLE:
            moved[keyword] = _moved(member)
        elif keyword == "$ref" and member != "#" and not member.startswith("#/$defs/"):
            moved[keyword] = f"#/anyOf/0{member[1:]}"
        elif keyword == "$ref" and member == "#":
            moved[keyword] = "#/anyOf/0"
    return moved
