"""The threads in which what servers list is made ready: few, and none of those that everybody shares.

Reading thousands of schemas takes seconds, and nothing ends a thread: with those of the loop, a handful of servers that
list what is hard to read would keep whoever else needs one waiting, each login among them.
"""

from asyncio import get_running_loop
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Final, TypeVar

Result = TypeVar("Result")

_THREADS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="looking")


async def apart(make: Callable[[], Result]) -> Result:
    """Return what `make` returns, made in one of these threads, after what was asked for before."""
    return await get_running_loop().run_in_executor(_THREADS, partial(copy_context().run, make))
