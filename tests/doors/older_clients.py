"""A client of the older protocol as it is on the wire: its session, its requests, and answers that are streams."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message

from doors.working_hub import PUBLIC_URL

Json = Any

OLDER = "2025-11-25"


@dataclass(slots=True, kw_only=True)
class Answer:
    """What comes back to one request, while it comes."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    messages: asyncio.Queue[Json] = field(default_factory=asyncio.Queue[Json])
    marks: list[str] = field(default_factory=list[str])
    """The ids of its events."""
    is_begun: asyncio.Event = field(default_factory=asyncio.Event)
    is_marked: asyncio.Event = field(default_factory=asyncio.Event)
    has_ended: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to hang up."""

    async def told(self) -> Json:
        """Return the next message of the stream."""
        async with asyncio.timeout(60):
            return await self.messages.get()

    async def mark(self) -> str:
        """Return the id of its last event, once there is one."""
        async with asyncio.timeout(60):
            await self.is_marked.wait()
        return self.marks[-1]

    @property
    def is_stream(self) -> bool:
        """Whether it came as one."""
        return self.headers["content-type"].startswith("text/event-stream")

    async def take(self, message: Message) -> None:
        """Take a piece of it in."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            self.is_begun.set()
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith("id: "):
                self.marks.append(line.removeprefix("id: "))
                self.is_marked.set()
            text = line.removeprefix("data: ")
            if text.startswith("{"):
                self.messages.put_nowait(json.loads(text))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.has_ended.set()


@dataclass(slots=True, kw_only=True)
class OlderClient:
    """A client with a token, at one door; `session` is what it sends as the id of its session."""

    app: ASGIApp
    token: str
    session: str | None = None

    async def open(self, capabilities: Json) -> str:
        """Open a session, and go on in it."""
        about = {"protocolVersion": OLDER, "capabilities": capabilities, "clientInfo": {"name": "c", "version": "1"}}
        answer = await self.send("initialize", about)
        self.session = answer.headers["mcp-session-id"]
        return self.session

    @asynccontextmanager
    async def sending(self, message: Json, method: str = "POST", **headers: str) -> AsyncGenerator[Answer]:
        """Send a message, and yield its answer while it comes."""
        answer, body = Answer(), b"" if message is None else json.dumps(message).encode()
        pieces = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not pieces:
                await answer.left.wait()
                return {"type": "http.disconnect"}
            return pieces.pop()

        serving = asyncio.create_task(self.app(self._scope(method, headers), receive, answer.take))  # type: ignore[arg-type]  # ASGI says Awaitable
        try:
            yield answer
            await serving
        finally:
            answer.left.set()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    async def send(self, method: str, params: Mapping[str, Json]) -> Answer:
        """Make a request and return its whole answer."""
        async with self.sending({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) as answer:
            pass
        return answer

    @asynccontextmanager
    async def listening(self, **headers: str) -> AsyncGenerator[Answer]:
        """Keep the stream of the session open as long as the block lasts; with an id go on after that event."""
        async with self.sending(None, "GET", **headers) as answer:
            yield answer
            answer.left.set()

    async def reply(self, number: Json, result: Json) -> int:
        """Answer a question of the server; return the status of that."""
        async with self.sending({"jsonrpc": "2.0", "id": number, "result": result}) as answer:
            pass
        return answer.status

    async def delete(self) -> int:
        """End the session; return the status of that."""
        async with self.sending(None, "DELETE") as answer:
            pass
        return answer.status

    def call(self, tool: str, **arguments: Json) -> Json:
        """Return the message that calls a tool."""
        return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}

    def _scope(self, method: str, more: Mapping[str, str]) -> dict[str, Json]:
        named = {
            "host": PUBLIC_URL.split("//")[1],
            "authorization": f"Bearer {self.token}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": OLDER,
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        if self.session is not None:
            named["mcp-session-id"] = self.session
        headers = [(name.encode(), value.encode()) for name, value in named.items()]
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": PUBLIC_URL.split(":")[0],
            "path": "/mcp",
            "raw_path": b"/mcp",
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
