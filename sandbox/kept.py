"""The connections of one line that outlive their request: as few as are needed, the one used last first.

The library's own pool looks at every open connection before each request and after it. Here only the one that is about
to be used is looked at.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpcore2

from sandbox.judged import Addresses, judged_connection


class Kept:
    """At most `most` connections to one origin."""

    def __init__(self, origin: httpcore2.Origin, addresses: Addresses, *, most: int) -> None:
        self._origin = origin
        self._addresses = addresses
        self._places = asyncio.Semaphore(most)
        self._open = set[httpcore2.AsyncHTTP11Connection]()
        self._idle = list[httpcore2.AsyncHTTP11Connection]()

    async def close(self) -> None:
        """Close them all, and so end what is under way."""
        self._idle.clear()
        for connection in list(self._open):
            await self._end(connection)

    @asynccontextmanager
    async def answering(self, request: httpcore2.Request, *, seconds: float) -> AsyncGenerator[httpcore2.Response]:
        """Send `request` and yield the answer, whose body is read within the block; connect within `seconds`.

        Raises:
            httpcore2.ConnectError, httpcore2.ConnectTimeout: nothing was sent.
            httpcore2.NetworkError, httpcore2.ProtocolError: there is no answer, or none that can be understood.
        """
        async with self._places:
            connection = await self._ready() or await self._opened(seconds)
            try:
                response = await connection.handle_async_request(request)
                try:
                    yield response
                finally:
                    await response.aclose()
            finally:
                if connection.is_idle():
                    self._idle.append(connection)
                else:
                    await self._end(connection)
            await self._end_expired()

    async def _opened(self, seconds: float) -> httpcore2.AsyncHTTP11Connection:
        connection = await judged_connection(self._origin, self._addresses, seconds=seconds)
        self._open.add(connection)
        return connection

    async def _ready(self) -> httpcore2.AsyncHTTP11Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await self._end(connection)
        return None

    async def _end_expired(self) -> None:
        """End those that nobody has needed for long: they lie below the others."""
        while self._idle and self._idle[0].has_expired():
            await self._end(self._idle.pop(0))

    async def _end(self, connection: httpcore2.AsyncHTTP11Connection) -> None:
        self._open.discard(connection)
        await connection.aclose()
