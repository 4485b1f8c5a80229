"""The output schema that clients see: the tool's own, or the hub's envelope for a call that is pending or refused."""

import re
from collections.abc import Callable, Mapping
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
    """Return the schema "an object that is as `own` says, or the hub's envelope"."""
    branch, definitions = placed(own, "/anyOf/0")
    return {"type": "object", "anyOf": [branch, ENVELOPE], **definitions}


def placed(own: Mapping[str, Json], place: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return `own` as it stands at `place` (a JSON pointer) of another schema, and what belongs at the root of that.

    Definitions stay where references expect them, at the root, where some clients alone look for them; those of older
    dialects are led there. A reference to another place in `own` is led to where that place is now.
    """
    root = _current(own)
    inner = {key: member for key, member in root.items() if key not in {"$schema", "$defs"}}
    moved = _moved(inner, place)
    return moved, {"$defs": _moved(root, place)["$defs"]} if "$defs" in root else {}


def _current(own: Mapping[str, Json]) -> dict[str, Json]:
    """Return `own` with its definitions under "$defs", where it has them under the older name alone."""
    root = dict(own)
    if "$defs" in root or not isinstance(root.get("definitions"), dict):
        return root
    root["$defs"] = root.pop("definitions")
    return cast("dict[str, Json]", _led(root, lambda said: re.sub("^#/definitions/", "#/$defs/", said)))


def _moved(schema: Json, place: str) -> Json:
    return _led(schema, lambda said: said if said.startswith("#/$defs/") else f"#{place}{said[1:]}")


def _led(schema: Json, lead: Callable[[str], str]) -> Json:
    """Return a schema with each of its references as `lead` has it."""
    if not isinstance(schema, dict):
        return schema
    led = dict(cast("dict[str, Json]", schema))
    for keyword, member in led.items():
        if keyword in NAMED:
            led[keyword] = {name: _led(child, lead) for name, child in member.items()}
        elif keyword in LISTED:
            led[keyword] = [_led(child, lead) for child in member]
        elif keyword in SINGLE:
            led[keyword] = _led(member, lead)
        elif keyword == "$ref":
            led[keyword] = lead(member)
    return led
