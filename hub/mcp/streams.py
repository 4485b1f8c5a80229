"""Places for streams that stay open: bounded for each pair of principals and in all, and ended together at shutdown."""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from hub.core.errors import Unavailable

MOST_OF_ONE: Final = 8
"""Streams of one pair of principals in this process; each serves any number of a client's interests."""
MOST: Final = 1000
SEND_SECONDS: Final = 20.0
"""How long a client may leave a message lying before its stream ends; it asks again what it depends on."""


class Streams:
    """The open streams of this process."""

    def __init__(self, *, most_of_one: int = MOST_OF_ONE, most: int = MOST, send_seconds: float = SEND_SECONDS) -> None:
        self.send_seconds: Final = send_seconds
        self._most_of_one = most_of_one
        self._most = most
        self._open: Counter[str] = Counter()
        self._waiting: set[asyncio.Event] = set()
        self.is_ending = False

    @contextmanager
    def place(self, whose: str) -> Generator[asyncio.Event]:
        """Hold a place for a stream of `whose` as long as the block lasts; the event is set when it is to end.

        Raises:
            Unavailable: there are as many as there may be, or the hub is shutting down.
        """
        if self.is_ending:
            raise Unavailable("The hub is shutting down; open the stream again in a moment.")
        if self._open[whose] >= self._most_of_one:
            raise Unavailable(f"{self._most_of_one} streams of yours are open here already; close one of them first.")
        if self._open.total() >= self._most:
            raise Unavailable("Too many streams are open here; try again later, and poll until then.")
        ending = asyncio.Event()
        self._open[whose] += 1
        self._waiting.add(ending)
        try:
            yield ending
        finally:
            self._waiting.discard(ending)
            self._open[whose] -= 1
            if not self._open[whose]:
                del self._open[whose]

    def end(self) -> None:
        """Let every stream end in good order, and open no more."""
        self.is_ending = True
        for ending in self._waiting:
            ending.set()
