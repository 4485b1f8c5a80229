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
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set it to hang up."""

    async def told(self) -> Json:
        """Return the next message of the stream."""
        async with asyncio.timeout(60):
            return await self.messages.get()

    @property
    def is_stream(self) -> bool:
        """Whether it came as one."""
        return self.headers["content-type"].startswith("text/event-stream")

    async def take(self, message: Message) -> None:
        """Take a piece of it in."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        for line in message.get("body", b"").decode().splitlines():
            text = line.removeprefix("data: ")
            if text.startswith("{"):
                self.messages.put_nowait(json.loads(text))


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
    async def sending(self, message: Json, method: str = "POST") -> AsyncGenerator[Answer]:
        """Send a message, and yield its answer while it comes."""
        answer, body = Answer(), b"" if message is None else json.dumps(message).encode()
        pieces = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if not pieces:
                await answer.left.wait()
                return {"type": "http.disconnect"}
            return pieces.pop()

        serving = asyncio.create_task(self.app(self._scope(method), receive, answer.take))  # type: ignore[arg-type]  # ASGI says Awaitable
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

    def call(self, tool: str) -> Json:
        """Return the message that calls a tool without arguments."""
        return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}}

    def _scope(self, method: str) -> dict[str, Json]:
        named = {
            "host": PUBLIC_URL.split("//")[1],
            "authorization": f"Bearer {self.token}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": OLDER,
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
