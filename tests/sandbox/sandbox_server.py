"""A server in the test's own process that answers as it is told and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httptools

Json = Any


@dataclass(kw_only=True)
class Asked:
    """One request, as it arrived on the wire."""

    method: str = ""
    target: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: bytes = b""
    is_complete: bool = False

    def header(self, name: str) -> str | None:
        """Return a header that is there at most once."""
        values = [value for one, value in self.headers if one.lower() == name]
        assert len(values) < 2, values
        return values[0] if values else None

    def on_url(self, url: bytes) -> None:
        """Take it from the parser."""
        self.target += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take it from the parser."""
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        """Take it from the parser."""
        self.body += body

    def on_message_complete(self) -> None:
        """Take it from the parser."""
        self.is_complete = True


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer; a `body` that is no text is sent as JSON. `raw` is sent as it stands, and `again` for ever after."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Json = ""
    raw: bytes | None = None
    again: bytes | None = None


Answering = Callable[[Asked], Reply]


@dataclass(kw_only=True)
class Server:
    """Where it listens, what it answers, and what it was asked."""

    answer: Answering
    base_url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        while (asked := await _received(reader)) is not None:
            self.asked.append(asked)
            reply = self.answer(asked)
            writer.write(_bytes(reply) if reply.raw is None else reply.raw)
            await writer.drain()
            if reply.raw is not None:
                await _go_on(reply, reader, writer)
                break
        writer.close()


@asynccontextmanager
async def serving(answer: Answering) -> AsyncGenerator[Server]:
    """Serve on a loopback port while the block lasts."""
    server = Server(answer=answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.base_url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await asyncio.sleep(0)


async def _go_on(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send `again` until the other side has gone."""
    gone = asyncio.ensure_future(reader.read())
    while reply.again is not None and not gone.done():
        writer.write(reply.again)
        await asyncio.wait({gone}, timeout=0.01)
    gone.cancel()


async def _received(reader: asyncio.StreamReader) -> Asked | None:
    asked = Asked()
    parser = httptools.HttpRequestParser(asked)
    while not asked.is_complete:
        data = await reader.read(65_536)
        if not data:
            return None
        try:
            parser.feed_data(data)
        except httptools.HttpParserError:
            return None
    asked.method = parser.get_method().decode()
    return asked


def _bytes(reply: Reply) -> bytes:
    is_text = isinstance(reply.body, str)
    is_packed = "content-encoding" in reply.headers
    body = (reply.body if is_text else json.dumps(reply.body)).encode("latin-1" if is_packed else "utf-8")
    headers = {"content-type": "text/plain" if is_text else "application/json", **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode("latin-1") + body
