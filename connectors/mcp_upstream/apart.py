"""The threads in which what servers list is made ready: few, and none of those that everybody shares.

Reading thousands of schemas takes seconds, and nothing ends a thread: with those of the loop, a handful of servers that
list what is hard to read would keep whoever else needs one waiting, each login among them. For the same reason one
look holds a thread no longer than a turn, however much its server lists.
"""

import time
from asyncio import get_running_loop
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from itertools import islice
from typing import Final, TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")

_TURN_SECONDS: Final = 0.1
"""So long a look goes on before the turn of another one comes."""

_THREADS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="looking")


async def apart(make: Callable[[], Result]) -> Result:
    """Return what `make` returns, made in one of these threads, after what was asked for before."""
    return await get_running_loop().run_in_executor(_THREADS, partial(copy_context().run, make))


async def each_apart(make: Callable[[Thing], Result], things: Sequence[Thing]) -> list[Result]:
    """Return what `make` returns of each of `things`, made in as many turns as that takes, and while anybody waits."""
    made = list[Result]()
    while len(made) < len(things):
        made += await apart(partial(_in_a_turn, make, things, len(made)))
    return made


def _in_a_turn(make: Callable[[Thing], Result], things: Sequence[Thing], begin: int) -> list[Result]:
    """Return what becomes of those from `begin` on, of one at least, until the turn is over."""
    until = time.monotonic() + _TURN_SECONDS
    made = list[Result]()
    for thing in islice(things, begin, None):
        made.append(make(thing))
        if time.monotonic() >= until:
            break
    return made
