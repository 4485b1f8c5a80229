"""What of a server's lists can be kept: whole characters, numbers that readers agree on, nesting within bounds."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from connectors.sdk.portable import LARGEST as LARGEST_INTEGER
from connectors.sdk.portable import parts_of

Json = Any
"""Any JSON value."""

DEEPEST: Final = 48
"""How many objects and lists may stand in each other, as in all that comes into the hub."""
LONGEST: Final = 256 * 1024
"""About how many characters of JSON one part of a list may have: no model reads so much of one tool."""
_LONGEST_NAME: Final = 64
_BOUNDS: Final = {"maximum": 1, "exclusiveMaximum": 1, "minimum": -1, "exclusiveMinimum": -1}


def unreadable(value: Json) -> str | None:
    """Return why a part of a list cannot be made anything of, None: it can; its numbers may still be too large."""
    ahead: list[tuple[Json, int]] = [(value, 0)]
    room = LONGEST
    while ahead:
        one, depth = ahead.pop()
        room -= _length(one)
        if room < 0:
            return f"it is longer than {LONGEST // 1024} kB"
        if isinstance(one, str) and not _is_text(one):
            return "it holds a character that cannot be kept"
        if depth > DEEPEST and isinstance(one, Mapping | list):
            return f"it nests deeper than {DEEPEST}"
        ahead += [(part, depth + 1) for part in _parts(one)]
    return None


def unkeepable(value: Json) -> str | None:
    """Return why a part of a list cannot be kept as it is, None: it can."""
    return unreadable(value) or _strange_number(value)


def drop_far_bounds(schema: dict[str, Json]) -> None:
    """Take bounds of numbers out of `schema` that lie beyond all integers that can be kept: they keep nothing out.

    Servers write the largest 64-bit integer there (2^63 - 1), of which JSON readers disagree.
    """
    for part in parts_of(schema):
        for name, sign in _BOUNDS.items():
            bound = part.get(name)
            if isinstance(bound, int) and bound * sign > LARGEST_INTEGER:
                del part[name]


def shown(name: str) -> str:
    """Return a name that may hold anything as it is told to people."""
    return name[:_LONGEST_NAME].replace("\x00", "\ufffd").encode(errors="replace").decode()


def _length(value: Json) -> int:
    """Return the characters of a text, or the least that the members of an object or a list take beside their texts."""
    if isinstance(value, str):
        return len(value)
    return 2 * len(cast("list[Json]", value)) if isinstance(value, Mapping | list) else 0


def _parts(value: Json) -> Iterator[Json]:
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Json]", value)
        yield from members
        yield from members.values()
    elif isinstance(value, list):
        yield from cast("list[Json]", value)


def _strange_number(value: Json) -> str | None:
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "it holds an integer beyond 2^53 - 1"
    if isinstance(value, float) and not math.isfinite(value):
        return "it holds a number that is not finite"
    return next((why for part in _parts(value) if (why := _strange_number(part))), None)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
