"""The places of connections in one process: so many calls of each are under way, and the others wait for one."""

import asyncio
from typing import NamedTuple

from hub.registry import Connection


class _Places(NamedTuple):
    number: int
    semaphore: asyncio.Semaphore


class PlacesByConnection:
    """Gives out the places; a connection that declares another number has new ones from then on."""

    def __init__(self) -> None:
        self._kept: dict[str, _Places] = {}

    def of(self, connection: Connection) -> asyncio.Semaphore:
        """Return what a call of `connection` holds while it is under way."""
        number, kept = connection.limits.calls_at_once, self._kept.get(connection.id)
        if kept is None or kept.number != number:
            kept = self._kept[connection.id] = _Places(number, asyncio.Semaphore(number))
        return kept.semaphore
