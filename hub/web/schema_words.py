"""JSON Schemas as people read them: one line per field, its type and limits in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Final, cast

from hub.core.canonical import SAFE_INTEGER
from hub.web.inert import inert_prose
from hub.web.schema_parts import DEPTH, Json, Schema, choices, only_choice, record_inside, resolved
from hub.web.views.catalog import SchemaField

_TYPES: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "yes or no",
    "object": "record",
    "array": "list",
    "null": "nothing",
}
_LIMITS: Final = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("pattern", "matches {}"),
    ("format", "format {}"),
)


def schema_fields(schema: Schema) -> tuple[SchemaField, ...]:
    """Return every field of an object schema, those of records inside it indented below them."""
    return tuple(_fields(schema, root=schema, depth=0))


def _fields(schema: Schema, *, root: Schema, depth: int) -> Iterator[SchemaField]:
    required = set(cast("list[str]", schema.get("required", [])))
    for name, given in cast("Mapping[str, Schema]", schema.get("properties", {})).items():
        member = resolved(given, root)
        yield SchemaField(
            name=name,
            depth=depth,
            type_words=_type_words(member, root),
            is_required=name in required,
            description=inert_prose(str(member.get("description", ""))),
            limits=tuple(_limits(only_choice(member, root))),
        )
        inner = record_inside(only_choice(member, root), root)
        if inner is not None and depth + 1 < DEPTH:
            yield from _fields(inner, root=root, depth=depth + 1)


def _type_words(schema: Schema, root: Schema) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(_plain(value) for value in cast("list[Json]", schema["enum"]))
    if "const" in schema:
        return f"always {_plain(schema['const'])}"
    offered = choices(schema, root)
    if offered:
        return " or ".join(dict.fromkeys(_type_words(choice, root) for choice in offered))
    return _named_type(schema, root)


def _named_type(schema: Schema, root: Schema) -> str:
    kinds = schema.get("type")
    names = cast("list[str]", kinds if isinstance(kinds, list) else [kinds] if kinds else [])
    items = schema.get("items")
    if names == ["array"] and isinstance(items, Mapping):
        return f"list of {_type_words(resolved(cast('Schema', items), root), root)}"
    return " or ".join(_TYPES.get(name, name) for name in names) or "anything"


def _limits(schema: Schema) -> Iterator[str]:
    for key, words in _LIMITS:
        limit = schema.get(key)
        if limit is not None and limit not in (SAFE_INTEGER, -SAFE_INTEGER):
            yield words.format(limit)
    if schema.get("default") is not None:
        yield f"otherwise {_plain(schema['default'])}"


def _plain(value: Json) -> str:
    if value in ("", [], {}):
        return "empty"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
