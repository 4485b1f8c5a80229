"""Canonical JSON: the one reading and the one writing of a value that digests are made of."""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NoReturn, cast

import rfc8785

from hub.core.errors import Malformed
from hub.core.texts import check_text, shown

SAFE_INTEGER = 2**53 - 1
"""The largest integer every JSON reader agrees on (RFC 8785 section 3.2.2.3)."""

DEEPEST = 48
"""How many objects and lists may stand in each other in what comes in.

Far more than any tool takes, far less than what exhausts a recursive reader, and little enough for a preview, which may
nest 64 deep, to show the whole of it: nothing can be hidden from an approver by its depth.
"""

_LONGEST_INTEGER = 17  # 2^53 has 16 digits, and there may be a sign


def canonical_json(value: Any) -> bytes:  # noqa: ANN401  # any JSON value
    """Return the RFC 8785 bytes of `value`.

    Raises:
        Malformed: an integer is beyond 2^53 - 1, a float is not finite, or a type is not JSON.
    """
    try:
        if _is_simple(value):
            return _write_simple(value).encode()
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise Malformed(f"This value has no canonical JSON form: {error}") from error


_SIMPLE_TYPES = frozenset({str, int, bool, type(None)})
_write_simple = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def _is_simple(value: Any) -> bool:  # noqa: ANN401  # any JSON value
    """Return whether the standard library writes `value` in the canonical way, which it does several times faster.

    It differs for floats, for integers beyond 2^53 - 1, and in the order of keys outside of ASCII.
    """
    kind = cast("type[object]", type(value))
    if kind in _SIMPLE_TYPES:
        return kind is not int or abs(value) <= SAFE_INTEGER
    if issubclass(kind, StrEnum):
        return True
    if kind is dict:
        for key, member in value.items():  # no `all` over a generator: this is asked of every value on record
            if type(key) is not str or not key.isascii() or not (type(member) is str or _is_simple(member)):
                return False
        return True
    return kind is list and all(map(_is_simple, value))


def digest(value: Any) -> str:  # noqa: ANN401  # any JSON value
    """Return the lower-case hex SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def parse_json(text: bytes | str) -> Any:  # noqa: ANN401  # any JSON value
    """Return the value `text` stands for, read so that no two readers can disagree.

    Raises:
        Malformed: not JSON in UTF-8, a key twice in one object, NaN or Infinity, an integer beyond 2^53 - 1, a text
            that not every store can keep, or nesting deeper than `DEEPEST`.
    """
    try:
        read = text.decode() if isinstance(text, bytes) else text
        value = json.loads(
            read,
            object_pairs_hook=_unique_keys,
            parse_constant=_no_constant,
            parse_int=_safe_integer,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed(f"This is not valid JSON: {error}") from error
    if "\\u" in read:  # only an escape can hide a null character or half a surrogate pair
        _check_texts(value)
    if read.count("{") + read.count("[") > DEEPEST:  # only then can it be that deep
        _check_depth(value)
    return value


def read_canonical(text: bytes) -> Any:  # noqa: ANN401  # any JSON value
    """Return the value whose canonical JSON is exactly `text`: what was written by `canonical_json` and kept.

    It reads all that `canonical_json` writes; `parse_json` does not, since RFC 8785 writes the float 2.0**60 in digits.

    Raises:
        Malformed: these bytes are not the canonical JSON of any value.
    """
    try:
        value = json.loads(text.decode(), parse_constant=_no_constant, parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"This is not valid JSON: {error}") from error
    if canonical_json(value) != text:
        raise Malformed("This is not written in the one canonical way.")
    return value


def _check_texts(value: Any) -> None:  # noqa: ANN401  # any JSON value
    """Refuse texts that cannot be kept, as keys and as values."""
    for one, _ in _parts(value):
        if isinstance(one, str):
            check_text(one)


def _check_depth(value: Any) -> None:  # noqa: ANN401  # any JSON value
    if any(depth > DEEPEST for _, depth in _parts(value)):
        raise Malformed(f"This is nested deeper than {DEEPEST} levels; send it flatter.")


def _parts(value: Any) -> Iterator[tuple[Any, int]]:  # noqa: ANN401  # any JSON value
    """Yield `value` and every key, member and item in it, each with how many objects and lists it is in."""
    ahead: list[tuple[Any, int]] = [(value, 0)]
    while ahead:
        one, depth = ahead.pop()
        yield one, depth
        if isinstance(one, dict):
            members = cast("dict[str, Any]", one)
            ahead.extend((part, depth + 1) for part in (*members.keys(), *members.values()))
        elif isinstance(one, list):
            ahead.extend((item, depth + 1) for item in cast("Iterable[Any]", one))


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise Malformed(f"The key {shown(key)} stands twice in one object; send it once.")
        members[key] = value
    return members


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON; send a finite number.")


def _number(digits: str) -> int | float:
    is_safe = len(digits) <= _LONGEST_INTEGER and abs(int(digits)) <= SAFE_INTEGER
    return int(digits) if is_safe else float(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Malformed(f"The number {digits[:24]} is beyond what a float can hold; send a smaller one.")
    return number


def _safe_integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER or abs(int(digits)) > SAFE_INTEGER:
        raise Malformed(f"The integer {digits[:24]} is beyond 2^53 - 1; send large ids as strings.")
    return int(digits)
