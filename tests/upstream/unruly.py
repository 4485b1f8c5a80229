"""An MCP server that behaves as it is told to, well or badly, over HTTP or standard input and output, without the SDK.

Run as `python -m upstream.unruly stdio MANNER` or `python -m upstream.unruly http MANNER`; the latter prints
`{"port": ...}`. Manners are the members of `MANNERS`; each is what one bad server does, `honest` does nothing
bad, and `told` lists the tools in the file that comes after it, and answers with an error what begins so.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from upstream.server import until_alone

Json = Any

TOOL = {
    "name": "echo",
    "description": "Says what it is told.",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
MODERN = "2026-07-28"
MANNERS = (
    "honest",
    "legacy",
    "garbage",
    "huge",
    "nested",
    "endless",
    "wrong-ids",
    "duplicates",
    "many-tools",
    "changing",
    "mute",
    "crash",
    "flood",
    "closing",
    "chatty",
    "deaf",
    "family",
    "rebel",
    "shouting",
    "curious",
    "newsy",
    "forgetful",
    "told",
)
_looks = 0
_session = 0
"""The only session that a forgetful server knows."""


def tools(manner: str) -> list[dict[str, Json]]:
    """Return what the server lists."""
    global _looks  # noqa: PLW0603  # the server's only state
    _looks += 1
    if manner == "told":
        return list(json.loads(Path(sys.argv[3]).read_text()))
    if manner == "changing":
        return [{**TOOL, "description": f"Says what it is told, for the {_looks}th time."}]
    if manner == "many-tools":
        return [{**TOOL, "name": f"echo_{number}"} for number in range(20_000)]
    return [TOOL]


def result(message: dict[str, Json], manner: str) -> dict[str, Json]:
    """Return what an honest server answers."""
    params = message.get("params") or {}
    match message["method"]:
        case "server/discover" if manner not in {"legacy", "newsy"}:
            about = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
            return _answer(message, {**about, "serverInfo": {"name": "unruly", "version": "1"}, "ttlMs": 0})
        case "initialize":
            about = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
            return _answer(message, {**about, "serverInfo": {"name": "unruly", "version": "1"}})
        case "resources/subscribe":
            return _answer(message, {})
        case "tools/list":
            return _answer(message, {"tools": tools(manner)})
        case "tools/call":
            text = params["arguments"].get("text", "")
            is_error = manner == "told" and text.startswith("Error")
            content = {"content": [{"type": "text", "text": text}], "isError": is_error}
            return _answer(message, {**content, "resultType": "complete"})
        case _:
            error = {"code": -32601, "message": "no such method"}
            return {"jsonrpc": "2.0", "id": message.get("id"), "error": error}


def _answer(message: dict[str, Json], result_: dict[str, Json]) -> dict[str, Json]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": result_}


async def lines(message: dict[str, Json], manner: str) -> AsyncIterator[bytes]:
    """Yield what the server says to one request, line by line, each a message or something else."""
    good = result(message, manner)
    if manner == "mute":
        await asyncio.Event().wait()
    if manner == "crash" and message["method"] == "tools/call":
        os._exit(1)
    if manner == "endless" and message["method"] == "tools/call":
        while True:
            yield _note("message", {"data": "x"})
            await asyncio.sleep(0.001)
    bad = BADLY.get(manner) if message["method"] == "tools/call" else None
    for said in [json.dumps(good).encode()] if bad is None else bad(message, good):
        yield said


def _note(kind: str, params: Json) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": f"notifications/{kind}", "params": params}).encode()


def _steps(message: Json, good: Json) -> Iterator[bytes]:
    token = ((message.get("params") or {}).get("_meta") or {}).get("progressToken")
    for step in range(1, 4):
        yield _note("progress", {"progressToken": token, "progress": step, "total": 3, "message": f"step {step}"})
    yield json.dumps(good).encode()


def _asking(_message: Json, good: Json) -> Iterator[bytes]:
    asks = {"message": "Really?", "requestedSchema": {"type": "object", "properties": {}}}
    yield json.dumps({"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": asks}).encode()
    yield json.dumps(good).encode()


def _changing(_message: Json, good: Json) -> Iterator[bytes]:
    yield _note("tools/list_changed", {})
    yield json.dumps(good).encode()


def _huge(message: Json, _good: Json) -> Iterator[bytes]:
    yield json.dumps(_answer(message, {"content": [{"type": "text", "text": "x" * 10_000_000}]})).encode()


def _nested(message: Json, _good: Json) -> Iterator[bytes]:
    """Yield what is no larger than an answer may be, and more than a hundred times as large once it is read."""
    deep = b"[" + b",".join([b"[[[[[[]]]]]]"] * 300_000) + b"]"
    yield json.dumps(_answer(message, {"content": [], "structuredContent": {"a": "?"}})).encode().replace(b'"?"', deep)


def _telling(message: Json, good: Json) -> Iterator[bytes]:
    yield _note("resources/updated", {"uri": message["params"]["arguments"]["text"]})
    yield json.dumps(good).encode()


BADLY: dict[str, Callable[[Json, Json], Iterable[bytes]]] = {
    "garbage": lambda _message, good: [
        b"\xff\xfe{ this is no message",
        b"[]",
        b"[" * 100_000,
        json.dumps(good).encode(),
    ],
    "huge": _huge,
    "nested": _nested,
    "wrong-ids": lambda _message, good: [json.dumps({**good, "id": 987654}).encode()],
    "duplicates": lambda _message, good: [json.dumps(good).encode()] * 3,
    "chatty": _steps,
    "curious": _asking,
    "told": _changing,
    "newsy": _telling,
}


# ------------------------------------------------------------------------------------------------------------ stdio
async def over_stdio(manner: str) -> None:
    """Serve standard input and output."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await _misbehave(manner)
    print("a banner that is no message", flush=True)  # noqa: T201  # as many servers do
    while line := await reader.readline():
        message = json.loads(line)
        if manner == "shouting" and message.get("method") == "tools/call":
            _shout()
        if "id" in message and "method" in message:
            async for said in lines(message, manner):
                _whole(said + b"\n")


async def _misbehave(manner: str) -> None:
    """Do what a bad program does before it is asked anything."""
    if manner == "flood":
        asyncio.get_running_loop().run_in_executor(None, _flood)
    if manner == "rebel":
        with contextlib.suppress(OSError):
            os.kill(os.getppid(), signal.SIGKILL)  # whoever would end it
    if manner in {"family", "rebel"}:
        _have_children()
    if manner in {"closing", "deaf"}:
        if manner == "closing":
            os.close(1)
        await asyncio.sleep(900)


def _have_children() -> None:
    """Start a process that leaves its parent and its session behind, as those do that want to outlive them.

    It must not go on with the event loop: that would take what is said to its parent.
    """
    if os.fork() == 0:
        os.setsid()
        if os.fork():
            os._exit(0)
        time.sleep(900)
        os._exit(0)


def _whole(data: bytes) -> None:
    while data:
        try:
            data = data[os.write(1, data) :]
        except BlockingIOError:
            continue


def _shout() -> None:
    while True:
        _whole((_note("message", {"data": "x"}) + b"\n") * 1000)


def _flood() -> None:
    while True:
        os.write(2, b"complaint " * 1000 + b"\n")


# ------------------------------------------------------------------------------------------------------------- http
async def over_http(manner: str) -> None:
    """Serve HTTP/1.1 on a free port of this machine."""
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, manner), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)  # noqa: T201  # the starter reads it
    await until_alone()
    os._exit(0)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, manner: str) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line.split(b":")[1] for line in head.splitlines() if line.lower().startswith(b"content-length")]
            body = await reader.readexactly(int(lengths[0])) if lengths else b""
            message = json.loads(body or b"{}")
            if manner == "forgetful" and await _forgets(message, head, writer):
                continue
            await _respond(message, manner, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _forgets(message: dict[str, Json], head: bytes, writer: asyncio.StreamWriter) -> bool:
    """Open a session, or answer 404 to a call in another; after each call that is answered it is another."""
    global _session  # noqa: PLW0603  # the server's only state
    if message.get("method") == "server/discover":
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        return True
    if message.get("method") == "initialize":
        answer = json.dumps(result(message, "legacy")).encode()
        headers = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: %d\r\n" % _session
        writer.write(headers + b"content-length: %d\r\n\r\n" % len(answer) + answer)
        return True
    if message.get("method") == "tools/call":
        is_known = b"mcp-session-id: %d\r\n" % _session in head.lower()
        if not is_known:
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            return True
        _session += 1
    return False


async def _respond(message: dict[str, Json], manner: str, writer: asyncio.StreamWriter) -> None:
    if "id" not in message or "method" not in message:
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        return
    if manner == "flood":
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: " + b"y" * 8000 + b"\r\n")
            await writer.drain()
    if manner in {"closing", "deaf"}:
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    async for said in lines(message, manner):
        event = b"data: " + said + b"\n\n"
        writer.write(b"%x\r\n" % len(event) + event + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def main() -> None:
    """Serve until standard input ends."""
    way, manner = sys.argv[1:3]
    if manner not in MANNERS:
        sys.exit(f"no such manner: {manner}")
    asyncio.run(over_stdio(manner) if way == "stdio" else over_http(manner))


if __name__ == "__main__":
    main()
