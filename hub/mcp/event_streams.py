"""Event streams that the hub answers a GET with by itself: their events, whether the client is there, when they end."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from starlette.types import Receive, Send

from hub.core.errors import HubError

Json = Any
"""Any JSON value."""

RETRY_MILLISECONDS: Final = 1000
"""After how long a client whose stream has ended comes back."""
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
)
_BODY: Final = "http.response.body"
_log = structlog.get_logger(__name__)


def event(message: Mapping[str, Json] | None, mark: str | None = None) -> bytes:
    """Return one event: a message of JSON-RPC, or none; `mark` is by what a client goes on after it."""
    marked = "" if mark is None else f"id: {mark}\r\nretry: {RETRY_MILLISECONDS}\r\n"
    said = "" if message is None else f"event: message\r\n{marked}data: {json.dumps(message)}\r\n\r\n"
    return (said or f"{marked}data: \r\n\r\n").encode()


class EventStream:
    """One answer that is a stream of events, for as long as the client reads it."""

    def __init__(self, receive: Receive, send: Send, *, send_seconds: float) -> None:
        self._receive, self._send = receive, send
        self._send_seconds = send_seconds
        self.has_gone = asyncio.Event()
        """Set once the client has hung up, or has read nothing for too long."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """Answer with a stream that lasts as long as the block does, and ends with whatever goes wrong in it."""
        await self._send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        watch = asyncio.create_task(self._watch())
        try:
            await self.breathe()
            yield
        except HubError:
            pass  # its token is good no more, say: who asks again is told what it is
        except Exception:  # noqa: BLE001  # the answer has begun, and can say nothing of it any more
            _log.exception("a stream failed")
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        await self._put(b"", more=False)

    async def say(self, message: Mapping[str, Json]) -> None:
        """Send a message of JSON-RPC."""
        await self._put(event(message))

    async def mark(self, mark: str) -> None:
        """Send by what a client that loses the stream goes on."""
        await self._put(event(None, mark))

    async def breathe(self) -> None:
        """Send what means nothing, so that both sides notice when the other has gone."""
        await self._put(b": here\r\n\r\n")

    async def _put(self, body: bytes, *, more: bool = True) -> None:
        if self.has_gone.is_set():
            return
        try:
            async with asyncio.timeout(self._send_seconds):
                await self._send({"type": _BODY, "body": body, "more_body": more})
        except TimeoutError:
            self.has_gone.set()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.has_gone.set()


async def first_of(events: Iterable[asyncio.Event], *, seconds: float) -> None:
    """Wait until one of `events` is set, and so long at most."""
    tasks = [asyncio.create_task(one.wait()) for one in events]
    try:
        await asyncio.wait(tasks, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
