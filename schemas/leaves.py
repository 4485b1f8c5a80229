"""Keywords that look at a value alone: what makes the function that says whether a value keeps one of them.

Both paths use them, the quick verdict and jsonschema, whose own word every violation with the whole value in it,
compare each item with each other, and let a backtracking reader at names and texts.
"""

import math
from collections.abc import Callable, Mapping, Sized
from decimal import Decimal
from json import dumps
from typing import Any, Final, cast

from schemas.bounds import count_steps, size_of
from schemas.formats import FORMATS
from schemas.patterns import PatternUnusable, compile_pattern

Json = Any
"""Any JSON value."""

Check = Callable[[Json], bool]
_WRITTEN_IN_A_STEP: Final = 16
"""Characters of a value that is written down, to be found among others."""
_BITS_IN_A_STEP: Final = 256
"""Of numbers that are divided."""


def anything(_value: Json) -> bool:
    """Return that any value does."""
    return True


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


def _types(said: str | list[str]) -> Check:
    if isinstance(said, str):
        return _TYPES[said]
    checks = tuple(_TYPES[name] for name in said)
    return lambda value: any(check(value) for check in checks)


def _const(said: Json) -> Check:
    size = size_of(said)
    if size == 1:
        return lambda value: equal(value, said)

    def check(value: Json) -> bool:
        count_steps(size)
        return equal(value, said)

    return check


def _enum(said: list[Json]) -> Check:
    texts = frozenset(each for each in said if isinstance(each, str))
    others = frozenset(_written(each) for each in said if not isinstance(each, str))
    return lambda value: value in texts if isinstance(value, str) else bool(others) and _written(value) in others


def _unique(said: bool) -> Check:  # noqa: FBT001  # what the keyword says
    def check(value: Json) -> bool:
        if not isinstance(value, list):
            return True
        seen = set[str]()
        for item in cast("list[Json]", value):
            written = _written(item)
            if written in seen:
                return False
            seen.add(written)
        return True

    return check if said else anything


def _written(value: Json) -> str:
    """Return `value` as a text that equal values share: compared by it, nothing is compared with each other thing.

    Texts differ in their hash from one start to the next; numbers could be chosen so that all have the same.
    """
    if type(value) is int:
        count_steps()
        return str(value)
    written = dumps(_whole(value), sort_keys=True)
    count_steps(1 + len(written) // _WRITTEN_IN_A_STEP)
    return written


def _whole(value: Json) -> Json:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {name: _whole(member) for name, member in cast("dict[str, Json]", value).items()}
    return list(map(_whole, cast("list[Json]", value))) if isinstance(value, list) else value


def _pattern(said: str) -> Check:
    try:
        is_in = compile_pattern(said).is_in
    except PatternUnusable:  # in a schema that was stored when such patterns were taken
        return anything
    return lambda value: not isinstance(value, str) or is_in(value)


def _multiple_of(said: Json) -> Check:
    """Return the check for multiples of `said`, both taken as they are written: 19.99 is a multiple of 0.01."""
    if isinstance(said, float) and not math.isfinite(said):
        return lambda value: not _is_number(value) or value == 0
    of, of_parts = _fraction(said)

    def check(value: Json) -> bool:
        if not _is_number(value):
            return True
        if isinstance(value, int) and of_parts == 1:
            return value % of == 0
        if isinstance(value, float) and not math.isfinite(value):
            return False
        many, parts = _fraction(value)
        many, parts = many * of_parts, parts * of
        count_steps(1 + (many.bit_length() + parts.bit_length()) // _BITS_IN_A_STEP)
        return many % parts == 0

    return check


def _fraction(number: float) -> tuple[int, int]:
    """Return the fraction that a number says in decimals, and not the nearest that a machine has."""
    return (number, 1) if isinstance(number, int) else Decimal(repr(number)).as_integer_ratio()


def _format(said: str) -> Check:
    keeps = FORMATS.get(said)
    return anything if keeps is None else lambda value: not isinstance(value, str) or keeps(value)


def _number(keeps: Callable[[Json, Json], bool]) -> Callable[[Json], Check]:
    def make(said: Json) -> Check:
        return lambda value: not _is_number(value) or keeps(value, said)

    return make


def _length(kind: type[Sized], keeps: Callable[[int, int], bool]) -> Callable[[Json], Check]:
    def make(said: int) -> Check:
        return lambda value: not isinstance(value, kind) or keeps(len(value), said)

    return make


def _at_least(value: Json, bound: Json) -> bool:
    return bool(value >= bound)


def _at_most(value: Json, bound: Json) -> bool:
    return bool(value <= bound)


LEAVES: Final[Mapping[str, Callable[[Json], Check]]] = {
    "const": _const,
    "enum": _enum,
    "exclusiveMaximum": _number(lambda value, bound: bool(value < bound)),
    "exclusiveMinimum": _number(lambda value, bound: bool(value > bound)),
    "format": _format,
    "maxItems": _length(list, _at_most),
    "maxLength": _length(str, _at_most),
    "maxProperties": _length(dict, _at_most),
    "maximum": _number(_at_most),
    "minItems": _length(list, _at_least),
    "minLength": _length(str, _at_least),
    "minProperties": _length(dict, _at_least),
    "minimum": _number(_at_least),
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "type": _types,
    "uniqueItems": _unique,
}
"""What makes a check of what a keyword says, by keyword."""
