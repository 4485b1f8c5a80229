"""The stream in which a call is answered: what the hub itself says in it, and whether its client is there."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import Message, Receive, Send

Json = Any
"""Any JSON value."""

_START: Final = "http.response.start"
_BODY: Final = "http.response.body"


class Line:
    """One answer that is an event stream; wrap the request's `receive` and `send` in it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._one_by_one = asyncio.Lock()
        self._begun = asyncio.Event()
        self.has_ended = asyncio.Event()
        """Set once nothing can be said any more: the client has gone, or the answer is out."""

    async def receive(self) -> Message:
        """Return what the client sends, and notice that it has gone."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.has_ended.set()
        return message

    async def send(self, message: Message) -> None:
        """Send a piece of the answer; each event is one piece."""
        async with self._one_by_one:
            if message["type"] == _BODY and not message.get("more_body"):
                self.has_ended.set()
            await self._send(message)
            if message["type"] == _START:
                self._begun.set()

    async def say(self, message: Mapping[str, Json]) -> None:
        """Send a message of JSON-RPC as an event of its own."""
        await self._begun.wait()
        event = f"event: message\r\ndata: {json.dumps(message)}\r\n\r\n".encode()
        async with self._one_by_one:
            if not self.has_ended.is_set():
                await self._send({"type": _BODY, "body": event, "more_body": True})
