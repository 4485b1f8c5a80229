"""Joining: one reading for all who ask for the same at the same time."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _UnderWay(Generic[T]):
    reading: asyncio.Task[T]
    since: float


class Joined(Generic[T]):
    """Readings under way. Whoever asks while one is joins it, and shares what comes of it, an error too.

    One that has gone on for `seconds` is joined no more: what it read may be too old by then.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._under_way: dict[str, _UnderWay[T]] = {}

    async def read(self, key: str, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `read` returns, or what the reading of `key` does that is under way."""
        at, found = asyncio.get_running_loop().time(), self._under_way.get(key)
        if found is None or at - found.since >= self._seconds:
            found = self._under_way[key] = _UnderWay(asyncio.create_task(read()), at)
            found.reading.add_done_callback(lambda reading: self._ended(key, reading))
        return await asyncio.shield(found.reading)

    def part(self) -> None:
        """Let nobody join what is under way: it may have been read before something changed."""
        self._under_way.clear()

    def _ended(self, key: str, reading: asyncio.Task[T]) -> None:
        found = self._under_way.get(key)
        if found is not None and found.reading is reading:
            del self._under_way[key]
        if not reading.cancelled():
            reading.exception()  # whoever still waits is told; nobody may be left to hear of it
