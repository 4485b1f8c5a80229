"""JSON pointers (RFC 6901): how a spec says which member of a value it means."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

Json = Any
"""Any JSON value."""


def resolve(value: Json, pointer: str) -> Json:
    """Return what `pointer` leads to in `value`, or None when there is nothing (a null and nothing are alike)."""
    for step in pointer.split("/")[1:]:
        value = _step(value, step.replace("~1", "/").replace("~0", "~"))
    return value


def _step(value: Json, step: str) -> Json:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Json]", value).get(step)
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = cast("Sequence[Json]", value)
        return items[int(step)] if step.isdecimal() and int(step) < len(items) else None
    return None
