"""The stream in which a call is answered: what the hub itself says in it, whether its client is there, when it ends."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from starlette.types import Message, Receive, Send

from hub.mcp.event_streams import event
from hub.mcp.marks import Marks

Json = Any
"""Any JSON value."""

_START: Final = "http.response.start"
_BODY: Final = "http.response.body"
_KIND: Final = b"text/event-stream"


class Line:
    """One answer that is an event stream; wrap the request's `receive` and `send` in it.

    With `marks` its client can go away and ask for the answer later: then the call goes on without it.
    """

    def __init__(self, receive: Receive, send: Send, marks: Marks | None = None) -> None:
        self._receive, self._send = receive, send
        self._marks = marks
        self._one_by_one = asyncio.Lock()
        self._begun = asyncio.Event()
        self._said_at = time.monotonic()
        self._waits = 0
        self.has_ended = asyncio.Event()
        """Set once nothing can be said any more: the client has gone, or the answer is out."""

    @property
    def call_id(self) -> str | None:
        """What the call is to be called on record, if its client can ask for the answer."""
        return None if self._marks is None else self._marks.call_id

    async def receive(self) -> Message:
        """Return what the client sends, and notice that it has gone; a call that is marked is told nothing of that."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.has_ended.set()
            if self._marks is not None:
                await asyncio.Event().wait()  # until the call has been answered, which ends this, too
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the answer; each event is one piece."""
        async with self._one_by_one:
            if self.has_ended.is_set():
                return
            is_body, body = message["type"] == _BODY, message.get("body", b"")
            if is_body and not message.get("more_body"):
                self.has_ended.set()
            await self._send(message)
            if not body.startswith(b":"):
                self._said_at = time.monotonic()
            if message["type"] == _START and _is_stream(message):
                await self._begin()

    async def say(self, message: Mapping[str, Json]) -> None:
        """Send a message of JSON-RPC as an event of its own."""
        await self._put(event(message))

    async def mark_next(self) -> None:
        """Tell the client that its call goes on as another one."""
        if self._marks is not None:
            self._marks.make_next()
            await self._put(self._marks.event())

    @contextmanager
    def awaiting(self) -> Generator[None]:
        """Let it be quiet while the client is asked something."""
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            self._said_at = time.monotonic()

    @asynccontextmanager
    async def ended_when_quiet(self, seconds: float) -> AsyncGenerator[None]:
        """End the stream as soon as nothing was said in it for so long, if the client can ask for the answer."""
        if self._marks is None:
            yield
            return
        watch = asyncio.create_task(self._end_when_quiet(seconds))
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _begin(self) -> None:
        if self._marks is not None:
            await self._send({"type": _BODY, "body": self._marks.event(), "more_body": True})
        self._begun.set()

    async def _put(self, body: bytes) -> None:
        await self._begun.wait()
        async with self._one_by_one:
            if not self.has_ended.is_set():
                await self._send({"type": _BODY, "body": body, "more_body": True})
                self._said_at = time.monotonic()

    async def _end_when_quiet(self, seconds: float) -> None:
        await self._begun.wait()
        while not self.has_ended.is_set():
            left = self._said_at + seconds - time.monotonic()
            if self._waits == 0 and left <= 0:
                await self.send({"type": _BODY, "body": b"", "more_body": False})
                return
            try:
                async with asyncio.timeout(max(left, seconds / 10)):
                    await self.has_ended.wait()
            except TimeoutError:
                continue


def _is_stream(start: Message) -> bool:
    return any(name.lower() == b"content-type" and _KIND in value for name, value in start.get("headers", ()))
