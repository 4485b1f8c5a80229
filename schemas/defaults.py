"""Filling in what a value leaves out and its schema has a default for, without touching the value."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

from schemas.bounds import count_steps, size_of
from schemas.pointers import resolve_reference

Json = Any
"""Any JSON value."""

Fill = Callable[[Json], Json]
IsValid = Callable[[Json], bool]
Chooser = Callable[[Mapping[str, Json]], IsValid]
"""Makes of a subschema the question whether a value keeps it; decides between the branches of a union."""


def filler(schema: Mapping[str, Json], chooser: Chooser) -> Callable[[Json], Fill]:
    """Return what gives the function that fills the defaults of a part of `schema` into a value, in a copy of it.

    Defaults are found in `properties` at any depth, through `$ref`, `items`, `prefixItems`, `additionalProperties`
    and `allOf`, and in the first branch of an `anyOf` or `oneOf` that the value keeps.
    """
    return _Compiler(schema, chooser).fill_of


def _unchanged(value: Json) -> Json:
    return value


class _Compiler:
    """Makes one function per subschema; a subschema that a reference reaches again is made once."""

    def __init__(self, root: Mapping[str, Json], chooser: Chooser) -> None:
        self._root = root
        self._chooser = chooser
        self._known: dict[int, Fill] = {}

    def fill_of(self, schema: Json) -> Fill:
        """Return the function for one subschema."""
        if not isinstance(schema, dict):
            return _unchanged
        members = cast("dict[str, Json]", schema)
        if id(members) not in self._known:
            self._known[id(members)] = self._later(id(members))  # what a cycle meets
            self._known[id(members)] = self._made(members)
        return self._known[id(members)]

    def _later(self, key: int) -> Fill:
        def fill(value: Json) -> Json:
            return self._known[key](value)

        return fill

    def _made(self, schema: Mapping[str, Json]) -> Fill:
        fills = [self.fill_of(part) for part in schema.get("allOf", [])]
        if "$ref" in schema:
            fills.append(self.fill_of(resolve_reference(self._root, schema["$ref"])))
        if any(keyword in schema for keyword in ("properties", "additionalProperties")):
            fills.append(self._fill_object(schema))
        if any(keyword in schema for keyword in ("items", "prefixItems")):
            fills.append(self._fill_array(schema))
        fills += [self._fill_union(schema[keyword]) for keyword in ("anyOf", "oneOf") if keyword in schema]
        needed = [_counted(fill) for fill in fills if fill is not _unchanged]
        return _one_after_another(needed) if needed else _unchanged

    def _fill_object(self, schema: Mapping[str, Json]) -> Fill:
        properties: Mapping[str, Json] = schema.get("properties", {})
        fills = {name: self.fill_of(part) for name, part in properties.items()}
        defaults = {
            name: (default, size_of(default))
            for name, part in properties.items()
            if (default := self._default_of(part)) is not ...
        }
        other = self.fill_of(schema.get("additionalProperties"))
        if not defaults and other is _unchanged and all(fill is _unchanged for fill in fills.values()):
            return _unchanged

        def fill(value: Json) -> Json:
            if not isinstance(value, dict):
                return value
            given = cast("dict[str, Json]", value)
            filled = {name: fills.get(name, other)(member) for name, member in given.items()}
            for name, (default, size) in defaults.items():
                if name not in filled:
                    count_steps(size)
                    filled[name] = fills[name](deepcopy(default))
            return filled

        return fill

    def _fill_array(self, schema: Mapping[str, Json]) -> Fill:
        first = [self.fill_of(part) for part in schema.get("prefixItems", [])]
        other = self.fill_of(schema.get("items"))
        if other is _unchanged and all(fill is _unchanged for fill in first):
            return _unchanged

        def fill(value: Json) -> Json:
            if not isinstance(value, list):
                return value
            items = cast("list[Json]", value)
            return [(first[at] if at < len(first) else other)(item) for at, item in enumerate(items)]

        return fill

    def _fill_union(self, branches: Sequence[Json]) -> Fill:
        fills = [self.fill_of(branch) for branch in branches]
        if all(fill is _unchanged for fill in fills):
            return _unchanged
        keeps = [self._chooser(branch) for branch in branches]

        def fill(value: Json) -> Json:
            for is_kept, fill_branch in zip(keeps, fills, strict=True):
                if is_kept(value):
                    return fill_branch(value)
            return value

        return fill

    def _default_of(self, schema: Json) -> Json:
        """Return the default of a property, found through references, or `...` when it has none."""
        seen: set[str] = set()
        while isinstance(schema, dict):
            members = cast("dict[str, Json]", schema)
            if "default" in members:
                return members["default"]
            reference = members.get("$ref")
            if reference is None or reference in seen:
                return ...
            seen.add(reference)
            schema = resolve_reference(self._root, reference)
        return ...


def _counted(fill: Fill) -> Fill:
    def counted(value: Json) -> Json:
        count_steps()
        return fill(value)

    return counted


def _one_after_another(fills: Sequence[Fill]) -> Fill:
    if len(fills) == 1:
        return fills[0]

    def fill(value: Json) -> Json:
        for each in fills:
            value = each(value)
        return value

    return fill
