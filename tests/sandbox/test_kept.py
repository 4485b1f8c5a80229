"""Kept connections: few, used again only where that is safe, led to judged addresses alone, and proved under TLS."""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import SSLContext

import httpcore2
import pytest
from sandbox_server import Asked, Reply, Server, serving
from upstream.certificates import for_localhost

from sandbox.judged import judged_connection
from sandbox.kept import Kept
from sandbox.reach import Address, OutOfReach

pytestmark = pytest.mark.anyio

LOOPBACK = ipaddress.ip_address("127.0.0.1")
NOBODY = ipaddress.ip_address("127.0.0.2")
LARGE = 3 * 1024 * 1024


async def here(_host: str) -> Sequence[Address]:
    return [LOOPBACK]


async def first_nobody(_host: str) -> Sequence[Address]:
    return [NOBODY, LOOPBACK]


async def out_of_reach(_host: str) -> Sequence[Address]:
    raise OutOfReach("It may not go there.")


def port_of(server: Server) -> int:
    return int(server.base_url.rpartition(":")[2])


def origin(server: Server, scheme: bytes = b"http", host: bytes = b"localhost") -> httpcore2.Origin:
    return httpcore2.Origin(scheme, host, port_of(server))


def request(at: httpcore2.Origin, content: bytes = b"") -> httpcore2.Request:
    url = httpcore2.URL(scheme=at.scheme, host=at.host, port=at.port, target=b"/")
    headers = [(b"host", b"x"), (b"content-length", str(len(content)).encode())]
    return httpcore2.Request(b"POST", url, headers=headers, content=content)


async def asked(kept: Kept, at: httpcore2.Origin) -> bytes:
    async with kept.answering(request(at), seconds=5) as response:
        return b"".join([chunk async for chunk in response.aiter_stream()])


async def turns() -> None:
    """Let the event loop turn: both ends are in this process, so what one has sent has arrived at the other then."""
    for _ in range(50):
        await asyncio.sleep(0)


@asynccontextmanager
async def kept_to(server: Server, *, most: int = 4) -> AsyncGenerator[tuple[Kept, httpcore2.Origin]]:
    kept = Kept(origin(server), here, most=most)
    try:
        yield kept, origin(server)
    finally:
        await kept.close()


async def test_one_connection_carries_one_request_after_the_other(server: Server) -> None:
    async with kept_to(server) as (kept, at):
        for _ in range(5):
            await asked(kept, at)

    assert (server.connections, len(server.asked)) == (1, 5)


async def test_no_more_connections_are_open_than_allowed(server: Server) -> None:
    async with kept_to(server, most=2) as (kept, at):
        await asyncio.gather(*(asked(kept, at) for _ in range(9)))

    assert (server.connections, len(server.asked)) == (2, 9)


async def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    async with (
        serving(lambda _: Reply(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")) as server,  # and closes
        kept_to(server) as (kept, at),
    ):
        found = [await asked(kept, at)]
        await turns()
        found.append(await asked(kept, at))

    assert (found, server.connections) == ([b"ok", b"ok"], 2)


async def test_a_connection_on_which_the_server_speaks_unasked_is_not_used(server: Server) -> None:
    opened = list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        await server.serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    at = httpcore2.Origin(b"http", b"localhost", listener.sockets[0].getsockname()[1])
    kept = Kept(at, here, most=1)
    found = [await asked(kept, at)]
    opened[0].write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")
    await turns()
    found.append(await asked(kept, at))

    assert (found, len(opened)) == ([b'{"method": "POST"}'] * 2, 2)
    await kept.close()
    listener.close()


async def test_a_connection_whose_answer_was_not_read_to_its_end_is_not_used(server: Server) -> None:
    async with kept_to(server) as (kept, at):
        async with kept.answering(request(at), seconds=5) as response:
            assert response.status == 200
        await asked(kept, at)

    assert server.connections == 2


async def test_a_connection_whose_request_was_cancelled_is_not_used() -> None:
    is_asked, may_answer = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            is_asked.set()
            await may_answer.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + str(len(opened)).encode())

    opened = list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        try:
            await answer(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    at = httpcore2.Origin(b"http", b"localhost", listener.sockets[0].getsockname()[1])
    kept = Kept(at, here, most=1)
    waiting = asyncio.create_task(asked(kept, at))
    await is_asked.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    may_answer.set()

    assert await asked(kept, at) == b"2"
    await kept.close()
    listener.close()


async def test_closing_ends_what_is_under_way_too() -> None:
    half = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"
    async with serving(lambda _: Reply(raw=half, again=b"")) as server:
        kept = Kept(origin(server), here, most=1)
        waiting = asyncio.create_task(asked(kept, origin(server)))
        await turns()

        await kept.close()

        with pytest.raises(httpcore2.RemoteProtocolError):
            await waiting
    assert len(server.asked) == 1


async def test_much_goes_out_and_comes_back_whole() -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(body=asked.body.decode())

    async with (
        serving(echo) as server,
        kept_to(server) as (kept, at),
        kept.answering(request(at, b"x" * LARGE), seconds=5) as response,
    ):
        await turns()  # more arrives than is kept unread, and the server has to wait
        assert b"".join([chunk async for chunk in response.aiter_stream()]) == b"x" * LARGE


async def test_the_next_address_is_tried_where_nobody_answers(server: Server) -> None:
    kept = Kept(origin(server), first_nobody, most=1)

    assert await asked(kept, origin(server)) == b'{"method": "POST"}'
    await kept.close()


async def test_where_it_may_not_go_nothing_is_opened(server: Server) -> None:
    kept = Kept(origin(server), out_of_reach, most=1)

    with pytest.raises(OutOfReach):
        await asked(kept, origin(server))

    assert server.connections == 0


@pytest.fixture
async def secure(server: Server, tmp_path: Path) -> AsyncGenerator[tuple[Server, SSLContext]]:
    """A server that proves to be `localhost`, and what believes it."""
    shown, believed = for_localhost(tmp_path)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=shown)
    server.base_url = f"https://localhost:{listener.sockets[0].getsockname()[1]}"
    yield server, believed
    listener.close()


async def test_under_tls_the_server_is_who_it_proves_to_be(secure: tuple[Server, SSLContext]) -> None:
    server, believed = secure
    at = origin(server, b"https")

    connection = await judged_connection(at, here, seconds=5, tls=believed)

    assert (await connection.handle_async_request(request(at))).status == 200
    await connection.aclose()


@pytest.mark.parametrize("host", [b"localhost", b"elsewhere.example"], ids=["not believed", "somebody else"])
async def test_under_tls_nothing_is_sent_to_anybody_else(host: bytes, secure: tuple[Server, SSLContext]) -> None:
    server, believed = secure
    tls = None if host == b"localhost" else believed

    with pytest.raises(httpcore2.ConnectError):
        await judged_connection(origin(server, b"https", host), here, seconds=5, tls=tls)

    assert server.asked == []
