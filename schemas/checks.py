"""The fast path: a schema turned into nested functions that say whether a value keeps it.

Only keywords whose meaning is reproduced exactly are here; a schema with any other is left to jsonschema, which also
words every violation. A test holds both to the same verdict on schemas and values made at random.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from schemas.bounds import count_steps
from schemas.leaves import LEAVES, Check, anything
from schemas.patterns import compile_pattern
from schemas.pointers import resolve_reference

Json = Any
"""Any JSON value."""


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


_SILENT: Final = frozenset({"$comment", "$defs", "$schema"})
_RARE: Final = frozenset(
    {"contains", "dependentRequired", "dependentSchemas", "if", "unevaluatedItems", "unevaluatedProperties"}
)
"""What jsonschema alone checks. Every other keyword that is not known here says nothing about values."""


class _Compiler:
    """Makes one function per subschema; one that a reference reaches again is made once."""

    def __init__(self, root: Mapping[str, Json]) -> None:
        self._root = root
        self._known: dict[int, Check] = {}

    def check_of(self, schema: Json) -> Check:
        """Return the function for one subschema."""
        if isinstance(schema, bool):
            return anything if schema else lambda _value: False
        members = cast("dict[str, Json]", schema)
        key = id(members)
        if key not in self._known:
            self._known[key] = lambda value: self._known[key](value)  # noqa: PLW0108  # what a cycle meets; replaced below
            self._known[key] = self._made(members)
        return self._known[key]

    def _made(self, schema: Mapping[str, Json]) -> Check:
        makers = dict[Maker, Json]()  # by what makes it: some keywords are one check together
        for keyword, said in schema.items():
            if keyword in _RARE or (keyword.startswith("$") and keyword not in _SILENT and keyword not in _KEYWORDS):
                raise Unsupported(keyword)
            if keyword in _KEYWORDS:
                makers.setdefault(_KEYWORDS[keyword], said)
        checks = [maker(self, said, schema) for maker, said in makers.items()]
        return _all([check for check in checks if check is not anything])

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
        """Make one check of `properties`, `patternProperties`, `additionalProperties` and `required` together."""
        known = {name: self.check_of(part) for name, part in schema.get("properties", {}).items()}
        named: Mapping[str, Json] = schema.get("patternProperties", {})
        patterned: _Patterned = [
            (compile_pattern(pattern).is_in, self.check_of(part)) for pattern, part in named.items()
        ]
        other = self.check_of(schema.get("additionalProperties", True))
        needed = tuple(schema.get("required", ()))
        if patterned:
            return lambda value: (
                not isinstance(value, dict)
                or (
                    _has(cast("dict[str, Json]", value), needed)
                    and _members_fit(cast("dict[str, Json]", value), known, patterned, other)
                )
            )

        def check(value: Json) -> bool:
            if not isinstance(value, dict):
                return True
            members = cast("dict[str, Json]", value)
            count_steps(len(members) + len(needed))
            for name in needed:
                if name not in members:
                    return False
            return all(known.get(name, other)(member) for name, member in members.items())

        return check

    def member_names(self, said: Json, _schema: Mapping[str, Json]) -> Check:
        """Make the check of `propertyNames`."""
        check = self.check_of(said)

        def named(value: Json) -> bool:
            if not isinstance(value, dict):
                return True
            count_steps(len(cast("dict[str, Json]", value)))
            return all(map(check, cast("dict[str, Json]", value)))

        return named

    def array_items(self, _said: Json, schema: Mapping[str, Json]) -> Check:
        """Make one check of `prefixItems` and `items` together."""
        first = self.checks_of(schema.get("prefixItems", []))
        other = self.check_of(schema.get("items", True))

        def check(value: Json) -> bool:
            if not isinstance(value, list):
                return True
            items = cast("list[Json]", value)
            count_steps(len(items))
            heads = all(each(item) for each, item in zip(first, items, strict=False))
            return heads and all(map(other, items[len(first) :]))

        return check

    def all_of(self, said: list[Json], _schema: Mapping[str, Json]) -> Check:
        """Make the check of `allOf`."""
        checks = self.checks_of(said)

        def check(value: Json) -> bool:
            count_steps(len(checks))
            return all(each(value) for each in checks)

        return check

    def any_of(self, said: list[Json], _schema: Mapping[str, Json]) -> Check:
        """Make the check of `anyOf`."""
        checks = self.checks_of(said)

        def check(value: Json) -> bool:
            count_steps(len(checks))
            return any(each(value) for each in checks)

        return check

    def one_of(self, said: list[Json], _schema: Mapping[str, Json]) -> Check:
        """Make the check of `oneOf`."""
        checks = self.checks_of(said)

        def check(value: Json) -> bool:
            count_steps(len(checks))
            return sum(each(value) for each in checks) == 1

        return check

    def negation(self, said: Json, _schema: Mapping[str, Json]) -> Check:
        """Make the check of `not`."""
        check = self.check_of(said)
        return lambda value: not check(value)


_Patterned = list[tuple[Callable[[str], bool], Check]]
Maker = Callable[[_Compiler, Json, Mapping[str, Json]], Check]


def _all(checks: list[Check]) -> Check:
    match checks:
        case []:
            return anything
        case [only]:
            return only
        case [one, other]:
            return lambda value: one(value) and other(value)
        case _:
            several = tuple(checks)
            return lambda value: all(check(value) for check in several)


def _has(members: Mapping[str, Json], needed: tuple[str, ...]) -> bool:
    count_steps(len(needed))
    return all(name in members for name in needed)


def _members_fit(members: Mapping[str, Json], known: Mapping[str, Check], patterned: _Patterned, other: Check) -> bool:
    """Return whether each member keeps what is said of its name, and of the patterns that its name matches."""
    count_steps(len(members))
    for name, member in members.items():
        meant = [check for is_in, check in patterned if is_in(name)]
        if name in known:
            meant.append(known[name])
        if not all(check(member) for check in meant or [other]):
            return False
    return True


def _leaf(make: Callable[[Json], Check]) -> Maker:
    return lambda _compiler, said, _schema: make(said)


_KEYWORDS: Final[Mapping[str, Maker]] = {
    **{name: _leaf(make) for name, make in LEAVES.items()},
    "$ref": _Compiler.reference,
    "additionalProperties": _Compiler.object_members,
    "allOf": _Compiler.all_of,
    "anyOf": _Compiler.any_of,
    "items": _Compiler.array_items,
    "not": _Compiler.negation,
    "oneOf": _Compiler.one_of,
    "patternProperties": _Compiler.object_members,
    "prefixItems": _Compiler.array_items,
    "properties": _Compiler.object_members,
    "propertyNames": _Compiler.member_names,
    "required": _Compiler.object_members,
}
