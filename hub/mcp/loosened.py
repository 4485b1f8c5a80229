"""Output schemas for those who see markers: whatever was valid still is, and so is a marker for any value."""

from collections.abc import Mapping
from typing import Any, Final, cast

from hub.core.masking import MARKER

Json = Any
"""Any JSON value."""

_MARKER: Final[Mapping[str, Json]] = {"type": "string", "pattern": f"^{MARKER}$"}
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_ONE: Final = frozenset({"additionalProperties", "items", "unevaluatedProperties", "unevaluatedItems"})
_LISTED: Final = frozenset({"prefixItems", "allOf", "anyOf"})
_DROPPED: Final = frozenset({"if", "then", "else", "not", "dependentSchemas", "contains", "uniqueItems", "oneOf"})
"""What markers may break without breaking any value on its own."""
_VALUES: Final = frozenset(
    {"enum", "const", "pattern", "minLength", "maxLength", "format", "minimum", "maximum", "multipleOf"}
)


def loosened(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Return a schema that takes what `schema` takes, and a marker wherever a text, a number or a flag stands."""
    loose = {name: _keyword(name, value) for name, value in schema.items() if name not in _DROPPED}
    if "oneOf" in schema:  # a marker may fit several
        loose["allOf"] = [*loose.get("allOf", []), {"anyOf": _parts(schema["oneOf"])}]
    return loose


def _keyword(name: str, value: Json) -> Json:
    if name in _NAMED:
        return {key: _part(part) for key, part in cast("Mapping[str, Json]", value).items()}
    if name in _ONE:
        return _part(value)
    return _parts(value) if name in _LISTED else value


def _parts(parts: Json) -> list[Json]:
    return [_part(part) for part in cast("list[Json]", parts)]


def _part(part: Json) -> Json:
    if not isinstance(part, Mapping):
        return part
    schema = cast("Mapping[str, Json]", part)
    return {"anyOf": [loosened(schema), dict(_MARKER)]} if _is_value(schema) else loosened(schema)


def _is_value(schema: Mapping[str, Json]) -> bool:
    """Return whether it may be about a text, a number or a flag."""
    kinds = schema.get("type", ())
    named = {kinds} if isinstance(kinds, str) else set(kinds)
    return bool(named - {"object", "array", "null"}) or bool(schema.keys() & _VALUES)
