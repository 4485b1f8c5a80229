"""Bytes to and from one address over asyncio, as the HTTP library wants them, and whether some are there to be read."""

import asyncio
from typing import Any, Final, cast

import httpcore2

_MOST_UNREAD: Final = 256 * 1024
"""Bytes that may wait to be read before the other side is told to wait."""


class Arriving(asyncio.Protocol):
    """What has arrived and was not read, and whether more may be written."""

    def __init__(self) -> None:
        self.unread = bytearray()
        self.is_over = False
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._is_held = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection from asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what has arrived."""
        self.unread += data
        if len(self.unread) > _MOST_UNREAD:
            self._hold(back=True)
        self._news.set()

    def eof_received(self) -> bool:
        """Take note that no more comes; asyncio closes the connection."""
        self.is_over = True
        self._news.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end."""
        self.is_over, self.error = True, exc
        self._news.set()
        self._room.set()

    def pause_writing(self) -> None:
        """Let writers wait."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._room.set()

    async def room(self) -> None:
        """Wait until what was written has mostly left."""
        await self._room.wait()

    async def more(self, most: int) -> bytes:
        """Return what arrives next, nothing once the other side is done."""
        while not self.unread and not self.is_over:
            self._news.clear()
            await self._news.wait()
        taken = bytes(self.unread[:most])
        del self.unread[:most]
        if len(self.unread) <= _MOST_UNREAD:
            self._hold(back=False)
        return taken

    def _hold(self, *, back: bool) -> None:
        if self._transport is None or self._transport.is_closing() or back is self._is_held:
            return
        self._is_held = back
        if back:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


class Stream(httpcore2.AsyncNetworkStream):
    """One connection."""

    def __init__(self, transport: asyncio.Transport, arriving: Arriving) -> None:
        self._transport = transport
        self._arriving = arriving

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # the library's own signature
        """Return what arrives next.

        Raises:
            httpcore2.ReadError: the connection broke.
            httpcore2.ReadTimeout: nothing came in time.
        """
        try:
            async with asyncio.timeout(timeout):
                taken = await self._arriving.more(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout from error
        if not taken and self._arriving.error is not None:
            raise httpcore2.ReadError(str(self._arriving.error)) from self._arriving.error
        return taken

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # the library's own signature
        """Send `buffer`.

        Raises:
            httpcore2.WriteError: the connection broke.
            httpcore2.WriteTimeout: the other side takes nothing more.
        """
        if self._transport.is_closing():
            raise httpcore2.WriteError("The connection is closed.")
        self._transport.write(buffer)
        try:
            async with asyncio.timeout(timeout):
                await self._arriving.room()
        except TimeoutError as error:
            raise httpcore2.WriteTimeout from error
        if self._arriving.error is not None:
            raise httpcore2.WriteError(str(self._arriving.error)) from self._arriving.error

    async def aclose(self) -> None:
        """End the connection; what has not left by then does not leave any more."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        self._transport.close()
        await asyncio.sleep(0)
        self._transport.abort()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  # the library's own signature
        """Return whether there is something to read, or what asyncio knows of the connection."""
        if info == "is_readable":
            return bool(self._arriving.unread) or self._arriving.is_over
        return self._transport.get_extra_info({"server_addr": "peername", "client_addr": "sockname"}.get(info, info))
