"""One zygote for all tests of a module: starting one takes longer than most tests, and none of them changes it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

from sandbox.launch import Zygote

_RUNNING: WeakKeyDictionary[asyncio.AbstractEventLoop, Zygote] = WeakKeyDictionary()


@asynccontextmanager
async def zygote_for_this_loop() -> AsyncGenerator[Zygote]:
    """Run a zygote, that is started when it is first needed, for everything that this event loop runs meanwhile."""
    loop = asyncio.get_running_loop()
    async with Zygote(paths=[Path(__file__).parent]).running() as zygote:
        _RUNNING[loop] = zygote
        try:
            yield zygote
        finally:
            del _RUNNING[loop]


def zygote_of_this_loop() -> Zygote | None:
    """Return the zygote that others may use here, if there is one."""
    return _RUNNING.get(asyncio.get_running_loop())
