"""JSON Schemas as people read them: one line per field, its type and limits in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from hub.core.canonical import SAFE_INTEGER
from hub.web.inert import inert_prose
from hub.web.views.catalog import SchemaField

Json = Any
"""Any JSON value."""
Schema = Mapping[str, Json]

_DEPTH: Final = 4
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


def properties(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield every property by its dotted name, those of records and of lists of records inside it too."""
    yield from _properties(schema, root=schema, prefix="", depth=0)


def _properties(schema: Schema, *, root: Schema, prefix: str, depth: int) -> Iterator[tuple[str, Schema]]:
    for name, given in cast("Mapping[str, Schema]", schema.get("properties", {})).items():
        member = _resolved(given, root)
        yield f"{prefix}{name}", member
        inner = _record_inside(_only_choice(member, root), root)
        if inner is not None and depth + 1 < _DEPTH:
            yield from _properties(inner, root=root, prefix=f"{prefix}{name}.", depth=depth + 1)


def _fields(schema: Schema, *, root: Schema, depth: int) -> Iterator[SchemaField]:
    required = set(cast("list[str]", schema.get("required", [])))
    for name, given in cast("Mapping[str, Schema]", schema.get("properties", {})).items():
        member = _resolved(given, root)
        yield SchemaField(
            name=name,
            depth=depth,
            type_words=_type_words(member, root),
            is_required=name in required,
            description=inert_prose(str(member.get("description", ""))),
            limits=tuple(_limits(_only_choice(member, root))),
        )
        inner = _record_inside(_only_choice(member, root), root)
        if inner is not None and depth + 1 < _DEPTH:
            yield from _fields(inner, root=root, depth=depth + 1)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Return the definition that a local reference leads to, with what stands beside the reference on top."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: Json = root
    for part in reference.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        found = cast("Mapping[str, Json]", found).get(name, {}) if isinstance(found, Mapping) else {}
    return {**cast("Schema", found), **{key: value for key, value in schema.items() if key != "$ref"}}


def _choices(schema: Schema, root: Schema) -> list[Schema]:
    given = cast("list[Schema]", schema.get("anyOf") or schema.get("oneOf") or [])
    return [_resolved(choice, root) for choice in given]


def _only_choice(schema: Schema, root: Schema) -> Schema:
    """Return the schema itself or, if it is one thing or nothing, that one thing."""
    real = [choice for choice in _choices(schema, root) if choice.get("type") != "null"]
    return real[0] if len(real) == 1 else schema


def _record_inside(schema: Schema, root: Schema) -> Schema | None:
    if "properties" in schema:
        return schema
    items = schema.get("items")
    if isinstance(items, Mapping):
        item = _resolved(cast("Schema", items), root)
        return item if "properties" in item else None
    return None


def _type_words(schema: Schema, root: Schema) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(_plain(value) for value in cast("list[Json]", schema["enum"]))
    if "const" in schema:
        return f"always {_plain(schema['const'])}"
    choices = _choices(schema, root)
    if choices:
        return " or ".join(dict.fromkeys(_type_words(choice, root) for choice in choices))
    return _named_type(schema, root)


def _named_type(schema: Schema, root: Schema) -> str:
    kinds = schema.get("type")
    names = cast("list[str]", kinds if isinstance(kinds, list) else [kinds] if kinds else [])
    items = schema.get("items")
    if names == ["array"] and isinstance(items, Mapping):
        return f"list of {_type_words(_resolved(cast('Schema', items), root), root)}"
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
