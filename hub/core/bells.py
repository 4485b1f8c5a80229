"""Bells: events that also tell somebody the moment they are set, who then needs no task to wait in."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager


class Bell(asyncio.Event):
    """An event that is set once."""

    def __init__(self) -> None:
        super().__init__()
        self._told = set[Callable[[], object]]()

    def set(self) -> None:
        """Wake whoever waits, and tell whoever is to be told; to set it again changes nothing."""
        if self.is_set():
            return
        super().set()
        for tell in tuple(self._told):
            tell()

    @contextmanager
    def telling(self, tell: Callable[[], object]) -> Generator[None]:
        """Call `tell` when it is set while the block lasts, or at once if it is set already."""
        self._told.add(tell)
        try:
            if self.is_set():
                tell()
            yield
        finally:
            self._told.discard(tell)
