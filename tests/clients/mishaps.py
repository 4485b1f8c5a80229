"""What happens to messages on their way: answers that a proxy loses or never lets through, and who says what."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Json = Any


_BAD_GATEWAY: Final[Sequence[Message]] = (
    {"type": "http.response.start", "status": 502, "headers": []},
    {"type": "http.response.body", "body": b"Bad Gateway"},
)


class Mishaps:
    """Stands before a hub as a proxy would, and loses an answer when told to; it notes what clients send."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._to_lose: set[str] = set()
        self._to_withhold: set[str] = set()
        self.struck = asyncio.Event()
        """Set once an answer was lost or withheld, as it was to be."""
        self.calls: Counter[str] = Counter()
        """How often each tool was called, by the messages that arrived."""
        self.carried: Counter[str] = Counter()
        """How often the hub let one in."""
        self.keys: set[str] = set()
        """The idempotency keys of calls."""
        self.resumed = 0
        """How often a client asked for the rest of an answer that it had begun to hear."""
        self.paths: set[str] = set()
        self.protocols: set[str] = set()
        """The protocol versions that clients named in their headers."""

    def lose_the_answer_of(self, tool: str) -> None:
        """Answer the next call of `tool` that the hub lets in with 502, once it is answered."""
        self.struck.clear()
        self._to_lose.add(tool)

    def withhold_the_answer_of(self, tool: str) -> None:
        """Let the next caller of `tool` that the hub lets in wait for the answer until it gives up."""
        self.struck.clear()
        self._to_withhold.add(tool)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.paths.add(scope["path"])
        self.resumed += any(name == b"last-event-id" for name, _ in scope["headers"])
        body, replay = await _read(scope, receive)
        tool = _called_in(body)
        if tool is None:
            await self._app(scope, replay, send)
            return
        self.calls[tool] += 1
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.protocols.add(headers.get("mcp-protocol-version", ""))
        self.keys |= {headers["idempotency-key"]} if "idempotency-key" in headers else set()
        way = _Way(send, loses=tool in self._to_lose, withholds=tool in self._to_withhold)
        await self._app(scope, replay, way.send)
        self.carried[tool] += way.was_let_in
        if not way.was_let_in:
            return
        if way.loses:
            self._to_lose.remove(tool)
            self.struck.set()
            for message in _BAD_GATEWAY:
                await send(message)
        elif way.withholds:
            self._to_withhold.remove(tool)
            self.struck.set()
            while (await receive())["type"] != "http.disconnect":
                pass


class _Way:
    """The way of one answer to its client, on which it may get lost; the line may go dead before it is through.

    An answer that is a stream has begun when its line goes dead: its beginning left before anything was carried out.
    """

    def __init__(self, send: Send, *, loses: bool, withholds: bool) -> None:
        self._send = send
        self.loses, self.withholds = loses, withholds
        self.was_let_in = False
        self._is_dead = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.was_let_in = message["status"] == HTTPStatus.OK
            is_stream = any(b"text/event-stream" in value for _, value in message["headers"])
            self._is_dead = self.was_let_in and (self.loses or (self.withholds and not is_stream))
        elif self.was_let_in and self.withholds:
            is_last = b'"result"' in message.get("body", b"") or not message.get("more_body")
            self._is_dead = self._is_dead or is_last
        if not self._is_dead:
            await self._send(message)


async def _read(scope: Scope, receive: Receive) -> tuple[bytes, Receive]:
    """Return the body, and what tells it once more."""
    if scope["method"] != "POST" or not scope["path"].endswith("/mcp"):
        return b"", receive
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    body = b"".join(parts)
    told = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return told.pop() if told else await receive()

    return body, replay


def _called_in(body: bytes) -> str | None:
    try:
        message: Json = json.loads(body) if body else None
    except ValueError:
        return None
    if not isinstance(message, Mapping) or message.get("method") != "tools/call":
        return None
    return str(message["params"]["name"])
