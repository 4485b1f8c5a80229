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
        self.paths: set[str] = set()
        self.protocols: set[str] = set()
        """The protocol versions that clients named in their headers."""

    def lose_the_answer_of(self, tool: str) -> None:
        """Answer the next call of `tool` that the hub lets in with 502, once it is answered."""
        self.struck.clear()
        self._to_lose.add(tool)

    def withhold_the_answer_of(self, tool: str) -> None:
        """Let the next caller of `tool` that the hub lets in wait until it gives up."""
        self.struck.clear()
        self._to_withhold.add(tool)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.paths.add(scope["path"])
        body, replay = await _read(scope, receive)
        tool = _called_in(body)
        if tool is None:
            await self._app(scope, replay, send)
            return
        self.calls[tool] += 1
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.protocols.add(headers.get("mcp-protocol-version", ""))
        self.keys |= {headers["idempotency-key"]} if "idempotency-key" in headers else set()
        answer = await _answer(self._app, scope, replay)
        self.carried[tool] += answer[0]["status"] == HTTPStatus.OK
        if answer[0]["status"] == HTTPStatus.OK and tool in self._to_lose:
            self._to_lose.remove(tool)
            self.struck.set()
            answer = _BAD_GATEWAY
        elif answer[0]["status"] == HTTPStatus.OK and tool in self._to_withhold:
            self._to_withhold.remove(tool)
            self.struck.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        for message in answer:
            await send(message)


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> Sequence[Message]:
    """Return what the application answers, once it has."""
    kept: list[Message] = []

    async def keep(message: Message) -> None:
        kept.append(message)

    await app(scope, receive, keep)
    return kept


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
