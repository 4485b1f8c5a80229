"""JSON pointers (RFC 6901): how a spec says which member of a value it means."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from schemas.pointers import position

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
        return None if (at := position(step, items)) is None else items[at]
    return None
