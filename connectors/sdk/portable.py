"""The portable subset of JSON Schema: what every agent framework can read."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from schemas.bounds import size_problem
from schemas.pointers import DanglingReference, resolve_reference

Json = Any
"""Any JSON value."""

LARGEST = 2**53 - 1
"""The largest integer that every JSON reader reads alike; larger ids travel as strings."""


def bound_integers(schema: dict[str, Json]) -> None:
    """Give every integer in `schema` bounds that all readers share, where it has none."""
    for part in parts_of(schema):
        if part.get("type") == "integer" and not {"enum", "const"} & set(part):
            if not {"minimum", "exclusiveMinimum"} & set(part):
                part["minimum"] = -LARGEST
            if not {"maximum", "exclusiveMaximum"} & set(part):
                part["maximum"] = LARGEST


def drop_null(schema: dict[str, Json]) -> None:
    """Make "absent" of "null" in `schema`: some clients drop nulls, so an argument is left out but never null."""
    for part in parts_of(schema):
        choices = [choice for choice in part.get("anyOf", []) if choice != {"type": "null"}]
        if len(choices) == 1:
            del part["anyOf"]
            part.update({**cast("dict[str, Json]", choices[0]), **part})
        elif choices:
            part["anyOf"] = choices


def drop_noise(schema: dict[str, Json]) -> None:
    """Remove generated titles and the default null, which say nothing, from `schema`."""
    for part in parts_of(schema):
        part.pop("title", None)
        if part.get("default", ...) is None:
            del part["default"]


def parts_of(schema: dict[str, Json]) -> Iterator[dict[str, Json]]:
    """Yield `schema` and every schema within it, the innermost last; references are not followed."""
    yield schema
    for child in _children(schema):
        yield from parts_of(child)


def reference_problem(schema: Mapping[str, Json]) -> str | None:
    """Return what is wrong with the references in `schema`: one leads nowhere, or a schema contains itself.

    So is a schema that is too large with its references written out. Each part is looked at once, however often it is
    referred to.
    """
    try:
        _Following(schema).follow(schema, ())
        return size_problem(schema)
    except DanglingReference as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    except _ContainsItself as error:
        return f"{error} contains itself, which some clients cannot read; bound its depth"


class _ContainsItself(Exception):
    """A schema is part of itself."""


class _Following:
    """Follows the references of one schema; a part that has been left behind is not entered again."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self._done = set[int]()

    def follow(self, value: Json, path: tuple[str, ...]) -> None:
        """Follow every reference in `value`, which `path` led to."""
        if isinstance(value, list):
            for item in cast("list[Json]", value):
                self.follow(item, path)
        if not isinstance(value, dict) or id(cast("Json", value)) in self._done:
            return
        members = cast("dict[str, Json]", value)
        reference = members.get("$ref")
        if isinstance(reference, str):
            if reference in path or reference == "#":
                raise _ContainsItself(reference.removeprefix("#/$defs/"))
            self.follow(resolve_reference(self._root, reference), (*path, reference))
        for name, member in members.items():
            if name != "$defs":
                self.follow(member, path)
        self._done.add(id(members))


def _children(schema: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    for keyword in ("properties", "$defs", "patternProperties"):
        yield from _schemas(list(schema.get(keyword, {}).values()))
    for keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from _schemas(schema.get(keyword, []))
    yield from _schemas([schema.get("items"), schema.get("additionalProperties")])


def _schemas(values: list[Json]) -> Iterator[dict[str, Json]]:
    # A schema may also be a plain true or false, which has no parts.
    yield from (value for value in values if isinstance(value, dict))
