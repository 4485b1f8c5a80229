"""JSON pointers into values and schemas: writing them, and following references inside one schema."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast
from urllib.parse import unquote

Json = Any
"""Any JSON value."""


_DIGITS: Final = 9
"""Of the number of an item: Python reads no number of thousands of them."""


class DanglingReference(ValueError):
    """A reference leads nowhere, or out of the schema it stands in."""


def pointer(steps: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) made of `steps`; no steps make the whole value, ""."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def resolve_reference(root: Mapping[str, Json], reference: str) -> Json:
    """Return what `reference`, a fragment such as `#/$defs/Deal`, stands for in the schema `root`.

    Raises:
        DanglingReference: it leads nowhere, or out of this schema. Nothing is ever fetched.
    """
    if reference != "#" and not reference.startswith("#/"):
        raise DanglingReference(f"{reference!r} leads out of the schema; write '#/$defs/NAME' and define it there")
    found: Json = root
    for step in unquote(reference[1:]).split("/")[1:]:
        found = _member(found, step.replace("~1", "/").replace("~0", "~"), reference)
    return found


def position(step: str, items: Sequence[Json]) -> int | None:
    """Return which of `items` a step of a pointer names, None: none. Python reads no number of thousands of digits."""
    at = int(step) if step.isdecimal() and len(step) <= _DIGITS else len(items)
    return at if at < len(items) else None


def _member(value: Json, step: str, reference: str) -> Json:
    if isinstance(value, dict) and step in value:
        return cast("dict[str, Json]", value)[step]
    if isinstance(value, list):
        items = cast("list[Json]", value)
        if (at := position(step, items)) is not None:
            return items[at]
    raise DanglingReference(f"{reference!r} leads nowhere; define it under '$defs'")
