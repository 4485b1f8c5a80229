"""Canonical JSON: the one reading and the one writing of a value that digests are made of."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, NoReturn, cast

import rfc8785

from hub.core.errors import Malformed

SAFE_INTEGER = 2**53 - 1
"""The largest integer every JSON reader agrees on (RFC 8785 section 3.2.2.3)."""


def canonical_json(value: Any) -> bytes:  # noqa: ANN401  # any JSON value
    """Return the RFC 8785 bytes of `value`.

    Raises:
        Malformed: an integer is beyond 2^53 - 1, a float is not finite, or a type is not JSON.
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise Malformed(f"This value has no canonical JSON form: {error}") from error


def digest(value: Any) -> str:  # noqa: ANN401  # any JSON value
    """Return the lower-case hex SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def parse_json(text: bytes | str) -> Any:  # noqa: ANN401  # any JSON value
    """Return the value `text` stands for, read so that no two readers can disagree.

    Raises:
        Malformed: not JSON in UTF-8, a key twice in one object, NaN or Infinity, an integer beyond 2^53 - 1, or a text
            that not every store can keep.
    """
    try:
        read = text.decode() if isinstance(text, bytes) else text
        value = json.loads(read, object_pairs_hook=_unique_keys, parse_constant=_no_constant, parse_int=_safe_integer)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"This is not valid JSON: {error}") from error
    if "\\u" in read:  # only an escape can hide a null character or half a surrogate pair
        _check_texts(value)
    return value


def _check_texts(value: Any) -> None:  # noqa: ANN401  # any JSON value
    """Refuse null characters, which PostgreSQL cannot keep, and lone surrogates, which have no UTF-8 form."""
    ahead: list[Any] = [value]
    while ahead:
        one = ahead.pop()
        if isinstance(one, dict):
            members = cast("dict[str, Any]", one)
            ahead.extend([*members.keys(), *members.values()])
        elif isinstance(one, list):
            ahead.extend(cast("Iterable[Any]", one))
        elif isinstance(one, str) and not (one.isascii() or _is_unicode(one)):
            raise Malformed("A text holds half a surrogate pair; send whole characters.")
        elif isinstance(one, str) and "\x00" in one:
            raise Malformed("A text holds a null character; leave it out.")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise Malformed(f"The key {key!r} stands twice in one object; send it once.")
        members[key] = value
    return members


def _no_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON; send a finite number.")


def _safe_integer(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > SAFE_INTEGER:  # noqa: PLR2004  # 2^53 has 16 digits and a sign
        raise Malformed(f"The integer {digits[:24]} is beyond 2^53 - 1; send large ids as strings.")
    return int(digits)
