"""Joining: one reading for all who ask for the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Joined(Generic[T]):
    """Readings under way. Whoever asks while one is joins it, and shares what comes of it, an error too."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Task[T]] = {}

    async def read(self, key: str, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `read` returns, or what the reading of `key` does that is under way."""
        reading = self._under_way.get(key)
        if reading is None:
            reading = self._under_way[key] = asyncio.create_task(read())
            reading.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(reading)

    def part(self) -> None:
        """Let nobody join what is under way: it may have been read before something changed."""
        self._under_way.clear()

    def _ended(self, key: str, reading: asyncio.Task[T]) -> None:
        if self._under_way.get(key) is reading:
            del self._under_way[key]
        if not reading.cancelled():
            reading.exception()  # whoever still waits is told; nobody may be left to hear of it
