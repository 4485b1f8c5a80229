"""Whether the loop goes on while something takes its time: what share of it others wait for at once."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def longest_wait(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    """Return what `work` returns, and for how much of it the loop did nothing else at a stretch, from 0 to 1.

    It is a share, so that a slow machine says the same. The collector of garbage rests meanwhile: how long that takes
    hangs on everything that the tests before have left behind.
    """
    loop, running = asyncio.get_running_loop(), asyncio.create_task(work)
    longest, started = 0.0, loop.time()
    last = started
    gc.disable()
    try:
        while not running.done():
            await asyncio.sleep(0.001)
            now = loop.time()
            longest, last = max(longest, now - last), now
    finally:
        gc.enable()
    return await running, longest / (last - started)
