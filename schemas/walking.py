"""Going through a schema: every subschema in it, with the place where it stands."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

Json = Any
"""Any JSON value."""

Schema = Mapping[str, Json]
Place = tuple[str, ...]

NAMED: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value holds subschemas by name."""
LISTED: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
"""Keywords whose value is a list of subschemas."""
SINGLE: Final = (
    "items",
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
)
"""Keywords whose value is one subschema."""


def children(schema: Schema) -> Iterator[tuple[Place, Schema]]:
    """Yield the subschemas that stand directly in `schema`; a mere true or false is none."""
    for keyword in NAMED:
        named = schema.get(keyword)
        if isinstance(named, dict):
            for name, child in cast("dict[str, Json]", named).items():
                yield from _if_schema((keyword, name), child)
    for keyword in LISTED:
        listed = schema.get(keyword)
        if isinstance(listed, list):
            for number, child in enumerate(cast("list[Json]", listed)):
                yield from _if_schema((keyword, str(number)), child)
    for keyword in SINGLE:
        yield from _if_schema((keyword,), schema.get(keyword))


def subschemas(schema: Schema, place: Place = ()) -> Iterator[tuple[Place, Schema]]:
    """Yield `schema` and every subschema in it, definitions included, each once; references are not followed."""
    yield place, schema
    for step, child in children(schema):
        yield from subschemas(child, place + step)


def _if_schema(place: Place, value: Json) -> Iterator[tuple[Place, Schema]]:
    if isinstance(value, dict):
        yield place, cast("dict[str, Json]", value)
