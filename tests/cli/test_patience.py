"""A server that waits no longer for a request than it says, and keeps no more connections than it has room for."""

import asyncio
import resource
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from hub.cli import patience
from hub.cli.patience import FILES_WANTED, may_open_many_files
from hub.cli.serve import HubServer, server_config
from hub.settings import Settings

pytestmark = pytest.mark.anyio

PATIENCE = 0.3
GET = b"GET /%s HTTP/1.1\r\nhost: hub.test\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: hub.test\r\ncontent-length: %d\r\n\r\n%s"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.body())


async def refuse(_: Request) -> PlainTextResponse:
    return PlainTextResponse("not read", status_code=401)


async def later(_: Request) -> StreamingResponse:
    async def words() -> AsyncGenerator[bytes]:
        yield b"at once, "
        await asyncio.sleep(3 * PATIENCE)
        yield b"and later"

    return StreamingResponse(words())


@asynccontextmanager
async def serving(*, most: int | None = None) -> AsyncGenerator[int]:
    """Serve on a port of loopback as `toolhub serve` does; yield the port."""
    routes = [
        Route("/echo", echo, methods=["POST"]),
        Route("/later", later),
        Route("/refuse", refuse, methods=["POST"]),
    ]
    config = server_config(Starlette(routes=routes), Settings(_env_file=None))
    config.host, config.port, config.lifespan, config.timeout_graceful_shutdown = "127.0.0.1", 0, "off", 1
    config.limit_concurrency = most or config.limit_concurrency
    server = HubServer(config, before_waiting=lambda: None)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


async def connected(port: int, sent: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def told(streams: Streams) -> bytes:
    """Return all that comes over a connection until the server closes it."""
    reader, writer = streams
    try:
        async with asyncio.timeout(30):  # so that it ends if it fails
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_SECONDS", PATIENCE)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "half",
    [b"", b"POST /ec", b"POST /echo HTTP/1.1\r\nhost: hub", POST % (10, b"five.")],
    ids=["nothing", "half a line", "half a head", "half a body"],
)
async def test_half_a_request_is_not_waited_for(half: bytes) -> None:
    async with serving() as port:
        answer = await told(await connected(port, half))

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"send it again.")


@pytest.mark.usefixtures("hurried")
async def test_who_sends_a_little_now_and_then_is_not_waited_for_either() -> None:
    async with serving() as port:
        reader, writer = await connected(port, POST % (1000, b""))

        async def drip() -> None:
            while not reader.at_eof():
                writer.write(b".")
                await asyncio.sleep(PATIENCE / 10)

        dripping = asyncio.create_task(drip())
        answer = await told((reader, writer))
        dripping.cancel()

    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("hurried")
async def test_an_answer_that_takes_long_is_waited_for() -> None:
    async with serving() as port:
        reader, writer = await connected(port, GET % b"later")
        async with asyncio.timeout(30):
            assert b"and later" in await reader.readuntil(b"0\r\n\r\n")
            writer.write(POST % (4, b"more"))  # on the same connection
            assert (await reader.readuntil(b"more")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"POST /ec")
        answer = await told((reader, writer))

    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("hurried")
async def test_a_request_that_came_behind_another_one_waits_for_its_answer() -> None:
    async with serving() as port:
        reader, writer = await connected(port, (GET % b"later") + (POST % (4, b"mo")))
        async with asyncio.timeout(30):
            assert b"and later" in await reader.readuntil(b"0\r\n\r\n")
            writer.write(b"re")
            assert (await reader.readuntil(b"more")).startswith(b"HTTP/1.1 200 ")
        writer.close()


@pytest.mark.usefixtures("hurried")
async def test_a_body_that_nobody_reads_is_not_waited_for() -> None:
    async with serving() as port:
        answer = await told(await connected(port, b"POST /refuse HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n."))

    assert answer.startswith(b"HTTP/1.1 401 ")


async def test_there_are_no_more_connections_than_there_is_room_for() -> None:
    async with serving(most=3) as port:
        kept = [await connected(port) for _ in range(3)]
        refused = [await told(await connected(port, GET % b"later")) for _ in range(2)]
        for _, writer in kept:
            writer.close()
            await writer.wait_closed()
        served = await answered(port)

    assert refused == [b"", b""]
    assert served.startswith(b"HTTP/1.1 200 ")


async def answered(port: int) -> bytes:
    """Return an answer, once the server has noticed that others have gone."""
    async with asyncio.timeout(30):
        while True:
            try:
                reader, writer = await connected(port, POST % (4, b"echo"))
                found = await reader.read(1000)
            except ConnectionError:
                continue
            writer.close()
            if found.startswith(b"HTTP/1.1 200 "):
                return found


@pytest.mark.parametrize(
    ("limits", "raised", "most"),
    [
        ((1024, 4096), (4096, 4096), 3072),
        ((1024, 10**6), (FILES_WANTED, 10**6), 49_152),
        ((1024, resource.RLIM_INFINITY), (FILES_WANTED, resource.RLIM_INFINITY), 49_152),
        ((10**6, 10**6), None, 49_152),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), None, 49_152),
        ((256, 256), None, 192),
    ],
)
def test_connections_leave_files_for_the_hub_itself(
    limits: Sequence[int], raised: Sequence[int] | None, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Sequence[int]]()
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))

    assert may_open_many_files() == most
    assert asked == ([] if raised is None else [raised])
