"""Calling a call off while its client waits for the answer: a read is ended, a write as far as it still can be."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, Final, TypeVar

from hub.core.bells import Bell
from hub.core.errors import HubError
from hub.invocations.queries import call_off, current
from hub.invocations.runtime import Runtime
from hub.invocations.states import CANCELLABLE
from hub.invocations.values import Call, Invocation

T = TypeVar("T")

BY_CLIENT: Final = "Its client cancelled the request."


async def unless_called_off(work: Coroutine[Any, Any, T], called_off: Bell | None) -> T | None:
    """Return what `work` returns; None: it was ended, or not begun, because its client called it off."""
    if called_off is None:
        return await work
    ours, task = asyncio.current_task(), asyncio.create_task(work)
    ends_before = ours.cancelling() if ours is not None else 0
    with called_off.telling(task.cancel):
        try:
            return await task
        except asyncio.CancelledError:
            if called_off.is_set() and ours is not None and ours.cancelling() == ends_before:
                return None
            raise  # somebody ends more than this


@contextlib.asynccontextmanager
async def heeding(call: Call, invocation: Invocation, runtime: Runtime) -> AsyncGenerator[None]:
    """Call `invocation` off if its client does while the block lasts; what has been sent goes on, and is told."""
    if call.called_off is None:
        yield
        return
    watch = asyncio.create_task(_watch(call.called_off, call, invocation, runtime))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(called_off: Bell, call: Call, invocation: Invocation, runtime: Runtime) -> None:
    await called_off.wait()
    standing = await current(runtime, invocation.id)
    while standing.state in CANCELLABLE:
        with contextlib.suppress(HubError):  # it has just moved on: look again whether it is too late
            await call_off(runtime, standing, reason=BY_CLIENT, by=call.caller.subject.id)
        standing = await current(runtime, invocation.id)
