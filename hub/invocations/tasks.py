"""Work that outlives the request that started it: kept, awaited at shutdown, never silently lost."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

_log = structlog.get_logger(__name__)
T = TypeVar("T")


class Tasks:
    """The calls that are still being carried out in this process."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what `work` returns, or None when it takes longer than `seconds`; it then goes on by itself.

        It also goes on when the caller is cancelled, say because a client has hung up: a call that has begun is
        finished and recorded whoever still listens.
        """
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        return task.result() if done else None

    async def drain(self, seconds: float) -> None:
        """Wait for what is running; what has not ended by then is cancelled, and its lease brings it back."""
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            _, deaf = await asyncio.wait(late, timeout=seconds)
            if deaf:  # closing must not wait for what nothing may ever end
                _log.error("calls did not end when they were cancelled", calls=len(deaf))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("a call ended with an error", exc_info=error)
