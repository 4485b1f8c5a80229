"""An MCP server over HTTP of whose answers a test decides each byte, and the usual answers to decide otherwise."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.mcp_upstream import Owner

Json = Any

OWNER: Final = Owner(name="scripted", reads=frozenset({"find"}))
_TAKES: Final = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
_SELF: Final = {"capabilities": {"tools": {}}, "serverInfo": {"name": "scripted", "version": "1"}}
USUAL: Final[Mapping[str, Json]] = {
    "server/discover": {"supportedVersions": ["2026-07-28"], **_SELF},
    "initialize": {"protocolVersion": "2025-11-25", **_SELF},
    "tools/list": {"tools": [{"name": name, "description": name, "inputSchema": _TAKES} for name in ("find", "post")]},
    "tools/call": {"content": [{"type": "text", "text": "done"}], "resultType": "complete"},
}
"""What a server answers that does nothing special."""
HANGS_UP: Final = "connection: close\r\n"
"""The header of an answer after which the server closes the connection, whether the answer was whole or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came."""

    verb: str
    headers: Mapping[str, str]
    message: Mapping[str, Json]

    @property
    def method(self) -> str:
        """Return the method of the message, nothing where it has none."""
        return str(self.message.get("method", ""))


Answer = Callable[[Asked], Awaitable[bytes]]


@dataclass(slots=True)
class Scripted:
    """A server that answers each request as `answer` says, and remembers what it was asked."""

    answer: Answer
    seen: list[Asked] = field(default_factory=list[Asked])
    _serving: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection."""
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await _read(reader)
                self.seen.append(asked)
                answer = await self.answer(asked)
                writer.write(answer)
                await writer.drain()
                if HANGS_UP.encode() in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[str]:
        """Serve while the block lasts, and yield the endpoint."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Asked:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(verb=first.split()[0], headers=headers, message=json.loads(body or b"{}"))


def said(body: bytes, kind: str = "application/json", *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return an answer over HTTP; each of `headers` ends its own line."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{headers}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def events(*messages: bytes) -> bytes:
    """Return an answer over HTTP that is a stream of messages."""
    return said(b"".join(b"data: " + message + b"\n\n" for message in messages), "text/event-stream")


def result(asked: Asked, of: Json) -> bytes:
    """Return the message that answers `asked`."""
    return json.dumps({"jsonrpc": "2.0", "id": asked.message["id"], "result": of}).encode()


def usual(asked: Asked, *, session: str = "") -> bytes:
    """Answer as a plain server does: of the newer protocol, or with a `session` of the older one."""
    is_older = asked.method == "server/discover" and session
    if "id" not in asked.message:
        return said(b"", status="202 Accepted")
    if asked.method not in USUAL or is_older:
        error = {"code": -32601, "message": "no such method"}
        return said(json.dumps({"jsonrpc": "2.0", "id": asked.message["id"], "error": error}).encode())
    opens = f"mcp-session-id: {session}\r\n" if asked.method == "initialize" and session else ""
    return said(result(asked, USUAL[asked.method]), headers=opens)
