"""Work on values of whatever size: on small ones at once, on large ones in a thread while everybody else goes on."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")

LARGE: Final = 65_536
"""Characters of JSON, about: looking through them takes some milliseconds."""


async def at_leisure(work: Callable[[], T], value: Any) -> T:  # noqa: ANN401  # any JSON value
    """Return what `work` makes of `value`, without holding the loop for long if it is large."""
    return await asyncio.to_thread(work) if is_large(value) else work()


def is_large(value: Any) -> bool:  # noqa: ANN401  # any JSON value
    """Return whether `value` has more than so many characters, having looked at no more of it than that."""
    left, ahead = LARGE, [value]
    while ahead:
        one = ahead.pop()
        if isinstance(one, str):
            left -= len(one)
        elif isinstance(one, dict | list):
            left -= 2 * len(cast("dict[str, Any] | list[Any]", one))
            if left < 0:
                return True
            if isinstance(one, dict):
                members = cast("dict[str, Any]", one)
                left -= sum(map(len, members))
                ahead.extend(members.values())
            else:
                ahead.extend(cast("list[Any]", one))
    return left < 0
