"""A wire to PostgreSQL that can be cut at COMMIT, or speaks TLS: TCP on loopback before the server's Unix socket."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

COMMIT = b"COMMIT\x00"
ASKS_FOR_TLS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""The request that comes before TLS. Source: PostgreSQL 18, section 54.2.11."""


@dataclass(kw_only=True)
class Wire:
    """What passes, and when it is cut: at COMMIT before the server gets it, or once it has answered."""

    port: int = 0
    cut: str = "never"
    """`never`, `before` or `after`."""
    cuts: int = 0
    sent: bytearray = field(default_factory=bytearray)


@asynccontextmanager
async def wired(socket_path: str, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Wire]:
    """Yield a wire to the server whose socket is at `socket_path`; with `tls` nobody can listen in on it."""
    wire, tasks = Wire(), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        if tls is None or await _secured(reader, writer, tls):
            await _carried(wire, reader, writer, socket_path)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        for _ in range(3):  # whoever was let in last begins only now
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _secured(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: ssl.SSLContext) -> bool:
    """Return whether the client has asked for TLS and believes the certificate."""
    try:
        if await reader.readexactly(len(ASKS_FOR_TLS)) == ASKS_FOR_TLS:
            writer.write(b"S")
            await writer.start_tls(tls)
            return True
    except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        pass
    writer.transport.abort()
    await asyncio.sleep(0)  # as below
    return False


async def _carried(wire: Wire, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    ends = [writer]
    try:
        from_server, to_server = await asyncio.open_unix_connection(path)
        ends.append(to_server)
        back = asyncio.ensure_future(_answers(from_server, writer))
        try:
            await _questions(wire, reader, to_server, from_server, back)
        finally:
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
    except ConnectionError:
        pass
    finally:
        for end in ends:
            end.transport.abort()
        await asyncio.sleep(0)  # an aborted transport lets go of its socket in the loop's next round


async def _questions(
    wire: Wire,
    reader: asyncio.StreamReader,
    to_server: asyncio.StreamWriter,
    from_server: asyncio.StreamReader,
    back: asyncio.Task[None],
) -> None:
    while data := await reader.read(65536):
        wire.sent += data
        if COMMIT in data and wire.cut != "never":
            await _cut(wire, data, back, to_server, from_server)
            return
        to_server.write(data)
        await to_server.drain()


async def _cut(
    wire: Wire, data: bytes, back: asyncio.Task[None], to_server: asyncio.StreamWriter, answers: asyncio.StreamReader
) -> None:
    how, wire.cut = wire.cut, "never"
    wire.cuts += 1
    back.cancel()
    await asyncio.gather(back, return_exceptions=True)
    if how == "after":
        to_server.write(data)
        await to_server.drain()
        await answers.read(65536)  # the server has committed and says so, to nobody


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
