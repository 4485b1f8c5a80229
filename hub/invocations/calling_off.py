"""Calling a call off while its client waits for the answer: a read is ended, a write as far as it still can be."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable
from typing import Final, TypeVar

from hub.core.errors import HubError
from hub.invocations.queries import call_off, current
from hub.invocations.runtime import Runtime
from hub.invocations.states import CANCELLABLE
from hub.invocations.values import Call, Invocation

T = TypeVar("T")

BY_CLIENT: Final = "Its client cancelled the request."


async def unless_called_off(work: Awaitable[T], called_off: asyncio.Event | None) -> T | None:
    """Return what `work` returns; None: it was ended, because its client called it off."""
    if called_off is None:
        return await work
    task, stop = asyncio.ensure_future(work), asyncio.create_task(called_off.wait())
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        stop.cancel()
        task.cancel()
        await asyncio.gather(task, stop, return_exceptions=True)


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


async def _watch(called_off: asyncio.Event, call: Call, invocation: Invocation, runtime: Runtime) -> None:
    await called_off.wait()
    standing = await current(runtime, invocation.id)
    while standing.state in CANCELLABLE:
        with contextlib.suppress(HubError):  # it has just moved on: look again whether it is too late
            await call_off(runtime, standing, reason=BY_CLIENT, by=call.caller.subject.id)
        standing = await current(runtime, invocation.id)
