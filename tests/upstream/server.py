"""The test upstream's process: HTTP on a loopback port, until its starter goes away or its time is up.

Run as `python -m upstream.server --database FILE`; it prints `{"port": ...}` when it listens.
"""

import argparse
import asyncio
import contextlib
import json
import os
import stat
import sys
from pathlib import Path

import httptools

from upstream.answers import Answer
from upstream.faults import Fault
from upstream.records import Records
from upstream.store import Planned, Received, Store

LARGEST_BODY = 1_000_000
LONGEST_SECONDS = 7200.0  # a server that many tests share outlives every run of all of them
JSON = {"content-type": "application/json"}
REASONS = {200: "OK", 201: "Created", 204: "No Content", 302: "Found"}


class _Incoming:
    """Collects one request from the parser's callbacks."""

    def __init__(self) -> None:
        self.path = b""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False

    def on_url(self, url: bytes) -> None:
        self.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.is_complete = True


class Server:
    """Answers requests one connection at a time each, faults included."""

    def __init__(self, store: Store, *, token: str | None) -> None:
        self._store = store
        self._records = Records(store, token=token)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side ends it."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, httptools.HttpParserError):
            while (request := await _receive(reader)) is not None and await self._answer(request, reader, writer):
                pass
        writer.transport.abort()

    async def _answer(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Carry `request` out and answer it; return whether the connection may be used again."""
        self._store.note_request(request)
        fault = self._store.take_fault(request.method, request.path.partition("?")[0])
        if fault is None:
            return await _send(writer, self._records.carry_out(request))
        if fault.kind is Fault.LATE:
            await asyncio.sleep(fault.argument)
        answer = self._records.carry_out(request) if fault.kind.is_processed else Answer(500, {"detail": "failed"})
        return await _misbehave(fault, answer, reader, writer)


async def _receive(reader: asyncio.StreamReader) -> Received | None:
    incoming = _Incoming()
    parser = httptools.HttpRequestParser(incoming)
    while not incoming.is_complete:
        data = await reader.read(65_536)
        if not data or len(incoming.body) > LARGEST_BODY:
            return None
        parser.feed_data(data)
    return Received(
        method=parser.get_method().decode(),
        path=incoming.path.decode("latin-1"),
        headers=incoming.headers,
        body=incoming.body.decode("utf-8", "replace"),
    )


async def _misbehave(
    fault: Planned, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    match fault.kind:
        case Fault.HANG_BEFORE | Fault.HANG_AFTER:
            await reader.read()  # until the client goes away
        case Fault.ENDLESS:
            await _send_for_ever(writer)
        case Fault.CUT:
            await _send(writer, _bytes(answer)[:-5])
        case Fault.GARBAGE:
            await _send(writer, b"\x00\xff this is not HTTP \r\n\r\n")
        case Fault.DROP_BEFORE | Fault.DROP_AFTER | Fault.LATE:
            pass
        case _:
            await asyncio.sleep(fault.argument)
            return await _send(writer, _instead(fault.kind, answer))
    return False


def _instead(kind: Fault, answer: Answer) -> Answer | bytes:
    match kind:
        case Fault.DELAY:
            return answer
        case Fault.TRUNCATED:
            return _raw(answer.status, json.dumps(answer.body).encode()[:-2], JSON)
        case Fault.HUGE:
            return _raw(answer.status, b'{"filler": "' + b"x" * 10_000_000 + b'"}', JSON)
        case _:
            return _FIXED.get(kind, Answer(500, {"detail": "failed"}))


async def _send(writer: asyncio.StreamWriter, answer: Answer | bytes) -> bool:
    writer.write(answer if isinstance(answer, bytes) else _bytes(answer))
    await writer.drain()
    return True


async def _send_for_ever(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        await writer.drain()


def _bytes(answer: Answer) -> bytes:
    body = b"" if answer.status == 204 else json.dumps(answer.body).encode()
    return _raw(answer.status, body, {**JSON, **answer.headers})


def _raw(status: int, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if status != 204:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_FIXED: dict[Fault, Answer | bytes] = {
    Fault.UNAVAILABLE: Answer(503, {"detail": "down for a moment"}, {"retry-after": "2"}),
    Fault.THROTTLED: Answer(429, {"detail": "too many requests"}, {"retry-after": "2"}),
    Fault.HTML: _raw(200, b"<!doctype html><title>Please log in</title>", {"content-type": "text/html"}),
    Fault.REDIRECT: _raw(302, b"", {"location": "http://elsewhere.invalid/"}),
}


async def until_alone(seconds: float = LONGEST_SECONDS) -> None:
    """Return when standard input ends, which it does when whoever started this process is gone, or after `seconds`.

    What is no pipe and no terminal says nothing of anybody; then the time alone counts.
    """
    reader = asyncio.StreamReader()
    is_somebody = (
        stat.S_ISFIFO(mode := os.fstat(sys.stdin.fileno()).st_mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()
    )
    if is_somebody:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await reader.read()


async def _main(arguments: argparse.Namespace) -> None:
    store = Store(arguments.database)
    if arguments.example:
        store.rows("INSERT OR REPLACE INTO item VALUES (7, 'pencil', 10, 1)")
    server = Server(store, token=arguments.token)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", arguments.port)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)  # noqa: T201  # the starter reads it
    await until_alone(arguments.seconds)
    listener.close()


def main() -> None:
    """Serve until standard input ends or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=Path, required=True, help="the SQLite file of records and effects")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS, help="the longest it may run")
    parser.add_argument("--example", action="store_true", help="put item 7, ten pencils, on the shelf")
    parser.add_argument("--token", help="refuse requests without this bearer token")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
