"""JSON Schemas taken apart: what a reference leads to, what a choice comes down to, and every property by its name."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

Json = Any
"""Any JSON value."""
Schema = Mapping[str, Json]

DEPTH: Final = 4
"""How deep records inside records are looked at."""


def properties(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield every property by its dotted name, those of records and of lists of records inside it too."""
    yield from _properties(schema, root=schema, prefix="", depth=0)


def _properties(schema: Schema, *, root: Schema, prefix: str, depth: int) -> Iterator[tuple[str, Schema]]:
    for name, given in cast("Mapping[str, Schema]", schema.get("properties", {})).items():
        member = resolved(given, root)
        yield f"{prefix}{name}", member
        inner = record_inside(only_choice(member, root), root)
        if inner is not None and depth + 1 < DEPTH:
            yield from _properties(inner, root=root, prefix=f"{prefix}{name}.", depth=depth + 1)


def resolved(schema: Schema, root: Schema) -> Schema:
    """Return the definition that a local reference leads to, with what stands beside the reference on top."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    found: Json = root
    for part in reference.removeprefix("#/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        found = cast("Mapping[str, Json]", found).get(name, {}) if isinstance(found, Mapping) else {}
    return {**cast("Schema", found), **{key: value for key, value in schema.items() if key != "$ref"}}


def choices(schema: Schema, root: Schema) -> list[Schema]:
    """Return what a value may be one of; nothing where there is no choice."""
    given = cast("list[Schema]", schema.get("anyOf") or schema.get("oneOf") or [])
    return [resolved(choice, root) for choice in given]


def only_choice(schema: Schema, root: Schema) -> Schema:
    """Return the schema itself or, if it is one thing or nothing, that one thing."""
    real = [choice for choice in choices(schema, root) if choice.get("type") != "null"]
    return real[0] if len(real) == 1 else schema


def record_inside(schema: Schema, root: Schema) -> Schema | None:
    """Return the schema of a record, or of the records in a list; None for anything else."""
    if "properties" in schema:
        return schema
    items = schema.get("items")
    if isinstance(items, Mapping):
        item = resolved(cast("Schema", items), root)
        return item if "properties" in item else None
    return None
