"""The fast path: a schema turned into nested functions that say whether a value keeps it.

Only keywords whose meaning is reproduced exactly are here; a schema with any other is left to jsonschema, which also
words every violation. A test holds both to the same verdict on schemas and values made at random.
"""

from collections.abc import Callable, Mapping, Sized
from typing import Any, Final, cast

from schemas.bounds import count_steps
from schemas.formats import FORMATS
from schemas.patterns import compile_pattern
from schemas.pointers import resolve_reference

Json = Any
"""Any JSON value."""

Check = Callable[[Json], bool]


class Unsupported(Exception):
    """The schema has a keyword that the fast path does not know; it is no error."""


def compile_checks(root: Mapping[str, Json]) -> Callable[[Json], Check]:
    """Return what gives the function that says whether a value keeps a part of `root`, or `root` itself.

    Raises:
        Unsupported: it has a keyword that only jsonschema knows.
    """
    compiler = _Compiler(root)
    compiler.check_of(root)
    return compiler.check_of


def equal(one: Json, other: Json) -> bool:
    """Return whether two JSON values are equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        mine, theirs = cast("list[Json]", one), cast("list[Json]", other)
        return len(mine) == len(theirs) and all(map(equal, mine, theirs))
    if isinstance(one, dict) and isinstance(other, dict):
        mine_too, theirs_too = cast("dict[str, Json]", one), cast("dict[str, Json]", other)
        return mine_too.keys() == theirs_too.keys() and all(equal(mine_too[key], theirs_too[key]) for key in mine_too)
    return bool(one == other)


def _is_integer(value: Json) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: Final[Mapping[str, Check]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}

_SILENT: Final = frozenset(
    {
        "$comment",
        "$defs",
        "$schema",
        "contentEncoding",
        "contentMediaType",
        "default",
        "definitions",
        "deprecated",
        "description",
        "examples",
        "readOnly",
        "title",
        "writeOnly",
    }
)


def _anything(_value: Json) -> bool:
    return True


class _Compiler:
    """Makes one function per subschema; one that a reference reaches again is made once."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self._known: dict[int, Check] = {}

    def check_of(self, schema: Json) -> Check:
        """Return the function for one subschema."""
        if isinstance(schema, bool):
            return _anything if schema else lambda _value: False
        members = cast("dict[str, Json]", schema)
        key = id(members)
        if key not in self._known:
            self._known[key] = lambda value: self._known[key](value)  # noqa: PLW0108  # what a cycle meets; replaced below
            self._known[key] = self._made(members)
        return self._known[key]

    def _made(self, schema: Mapping[str, Json]) -> Check:
        checks = list[Check]()
        for keyword, said in schema.items():
            if keyword in _SILENT or keyword.startswith("x-"):
                continue
            maker = _KEYWORDS.get(keyword)
            if maker is None:
                raise Unsupported(keyword)
            check = maker(self, said, schema)
            if check is not _anything:
                checks.append(check)
        return _all(checks)

    def checks_of(self, schemas: list[Json]) -> tuple[Check, ...]:
        """Return the functions for several subschemas."""
        return tuple(self.check_of(schema) for schema in schemas)

    def reference(self, said: str, _schema: Mapping[str, Json]) -> Check:
        """Make the check of `$ref`; what leads to other parts more than once is what could take without end."""
        check = self.check_of(resolve_reference(self._root, said))

        def counted(value: Json) -> bool:
            count_steps()
            return check(value)

        return counted

    def object_members(self, _said: Json, schema: Mapping[str, Json]) -> Check:
        """Make one check of `properties`, `additionalProperties` and `required` together."""
        if "patternProperties" in schema:
            raise Unsupported("patternProperties")
        known = {name: self.check_of(part) for name, part in schema.get("properties", {}).items()}
        other = self.check_of(schema.get("additionalProperties", True))
        needed = tuple(schema.get("required", ()))

        def check(value: Json) -> bool:
            if not isinstance(value, dict):
                return True
            members = cast("dict[str, Json]", value)
            for name in needed:
                if name not in members:
                    return False
            return all(known.get(name, other)(member) for name, member in members.items())

        return check

    def array_items(self, _said: Json, schema: Mapping[str, Json]) -> Check:
        """Make one check of `prefixItems` and `items` together."""
        first = self.checks_of(schema.get("prefixItems", []))
        other = self.check_of(schema.get("items", True))

        def check(value: Json) -> bool:
            if not isinstance(value, list):
                return True
            items = cast("list[Json]", value)
            heads = all(each(item) for each, item in zip(first, items, strict=False))
            return heads and all(map(other, items[len(first) :]))

        return check

    def all_of(self, said: list[Json], _schema: Mapping[str, Json]) -> Check:
        """Make the check of `allOf`."""
        return _all(list(self.checks_of(said)))

    def any_of(self, said: list[Json], _schema: Mapping[str, Json]) -> Check:
        """Make the check of `anyOf`."""
        checks = self.checks_of(said)
        return lambda value: any(check(value) for check in checks)

    def one_of(self, said: list[Json], _schema: Mapping[str, Json]) -> Check:
        """Make the check of `oneOf`."""
        checks = self.checks_of(said)
        return lambda value: sum(check(value) for check in checks) == 1

    def negation(self, said: Json, _schema: Mapping[str, Json]) -> Check:
        """Make the check of `not`."""
        check = self.check_of(said)
        return lambda value: not check(value)


Maker = Callable[[_Compiler, Json, Mapping[str, Json]], Check]


def _all(checks: list[Check]) -> Check:
    match checks:
        case []:
            return _anything
        case [only]:
            return only
        case [one, other]:
            return lambda value: one(value) and other(value)
        case _:
            several = tuple(checks)
            return lambda value: all(check(value) for check in several)


def _types(said: str | list[str]) -> Check:
    if isinstance(said, str):
        return _TYPES[said]
    checks = tuple(_TYPES[name] for name in said)
    return lambda value: any(check(value) for check in checks)


def _enum(said: list[Json]) -> Check:
    texts = frozenset(each for each in said if isinstance(each, str))
    others = tuple(each for each in said if not isinstance(each, str))
    return lambda value: value in texts if isinstance(value, str) else any(equal(value, each) for each in others)


def _pattern(said: str) -> Check:
    is_in = compile_pattern(said).is_in
    return lambda value: not isinstance(value, str) or is_in(value)


def _format(said: str) -> Check:
    keeps = FORMATS.get(said)
    return _anything if keeps is None else lambda value: not isinstance(value, str) or keeps(value)


def _number(keeps: Callable[[Json, Json], bool]) -> Maker:
    def make(_compiler: _Compiler, said: Json, _schema: Mapping[str, Json]) -> Check:
        return lambda value: not _is_number(value) or keeps(value, said)

    return make


def _length(kind: type[Sized], keeps: Callable[[int, int], bool]) -> Maker:
    def make(_compiler: _Compiler, said: int, _schema: Mapping[str, Json]) -> Check:
        return lambda value: not isinstance(value, kind) or keeps(len(value), said)

    return make


def _at_least(value: Json, bound: Json) -> bool:
    return bool(value >= bound)


def _at_most(value: Json, bound: Json) -> bool:
    return bool(value <= bound)


_KEYWORDS: Final[Mapping[str, Maker]] = {
    "$ref": _Compiler.reference,
    "additionalProperties": _Compiler.object_members,
    "allOf": _Compiler.all_of,
    "anyOf": _Compiler.any_of,
    "const": lambda _compiler, said, _schema: lambda value: equal(value, said),
    "enum": lambda _compiler, said, _schema: _enum(said),
    "exclusiveMaximum": _number(lambda value, bound: bool(value < bound)),
    "exclusiveMinimum": _number(lambda value, bound: bool(value > bound)),
    "format": lambda _compiler, said, _schema: _format(said),
    "items": _Compiler.array_items,
    "maxItems": _length(list, _at_most),
    "maxLength": _length(str, _at_most),
    "maxProperties": _length(dict, _at_most),
    "maximum": _number(_at_most),
    "minItems": _length(list, _at_least),
    "minLength": _length(str, _at_least),
    "minProperties": _length(dict, _at_least),
    "minimum": _number(_at_least),
    "not": _Compiler.negation,
    "oneOf": _Compiler.one_of,
    "pattern": lambda _compiler, said, _schema: _pattern(said),
    "prefixItems": _Compiler.array_items,
    "properties": _Compiler.object_members,
    "required": _Compiler.object_members,
    "type": lambda _compiler, said, _schema: _types(said),
}
