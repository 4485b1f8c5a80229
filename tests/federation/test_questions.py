"""A server that asks the hub questions while it works on a call: it is answered so often, and leads to nothing more."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from federation_servers import Federated

from connectors.mcp_upstream import Owner
from hub.execution import Failed, Succeeded
from sandbox.mcp.hearing import MOST_ANSWERED

pytestmark = pytest.mark.anyio

PING: Final = b'data: {"jsonrpc": "2.0", "method": "ping", "id": 1}\n\n'
TAKES: Final = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
RESULTS: Final[dict[str, Any]] = {
    "server/discover": {
        "supportedVersions": ["2026-07-28"],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "x", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "find", "description": "Finds.", "inputSchema": TAKES}]},
    "tools/call": {"content": [], "resultType": "complete"},
}


@dataclass(slots=True, kw_only=True)
class Asking:
    """An MCP server over HTTP that pings before it answers a call, and whenever it is answered."""

    pings: int
    answers: bool
    again: bool
    posts: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                sizes = [
                    int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-l")
                ]
                message = json.loads(await reader.readexactly(sizes[0]))
                writer.write(self._answer(message))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, message: dict[str, Any]) -> bytes:
        result = RESULTS.get(message.get("method", ""))
        if result is None:
            self.posts += 1
            return _told(PING) if self.again else b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        answer = b"data: " + json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode() + b"\n\n"
        if message["method"] != "tools/call":
            return _told(answer)
        return _told(PING * self.pings + (answer if self.answers else b""))


def _told(events: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(events)
    return head + events


@asynccontextmanager
async def _running(asking: Asking) -> AsyncGenerator[str]:
    async with await asyncio.start_server(asking.serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"


async def test_a_server_is_answered_so_often_during_one_call_and_no_more(federated: Federated) -> None:
    asking = Asking(pings=MOST_ANSWERED * 3, answers=True, again=False)
    async with _running(asking) as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="asking", reads=frozenset({"find"})))
        read = await house.read(spec, "find", text="x")

    assert isinstance(read.outcome, Succeeded), read
    assert asking.posts == MOST_ANSWERED


@pytest.mark.parametrize("answers", [True, False])
async def test_a_question_for_an_answer_is_not_answered(federated: Federated, *, answers: bool) -> None:
    asking = Asking(pings=1, answers=answers, again=True)
    async with _running(asking) as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="asking", reads=frozenset({"find"})))
        read = await house.read(spec, "find", text="x")

    assert isinstance(read.outcome, Succeeded if answers else Failed), read
    assert asking.posts == (1 if answers else 2)  # a read whose answer does not come is asked again, once
