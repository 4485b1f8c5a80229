"""Streams take bounded places, and end in good order when the hub does."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest
import uvicorn
from doors.outside import entered, served
from doors.working_hub import WorkingHub
from mcp import MCPError
from starlette.applications import Starlette
from starlette.types import Message, Send

from hub.cli.serve import HubServer
from hub.core.errors import Unavailable
from hub.mcp import mcp_door
from hub.mcp.challenges import NOT_AVAILABLE
from hub.mcp.streams import MOST_OF_ONE, Streams

pytestmark = pytest.mark.anyio


async def test_streams_of_one_caller_are_bounded_and_others_have_their_own(hub: WorkingHub, address: str) -> None:
    token = await hub.token()
    other = await hub.token(for_user=hub.people["owner"])
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(entered(address, token))
        for _ in range(MOST_OF_ONE):
            await stack.enter_async_context(client.listen(tools_list_changed=True))
        with pytest.raises(MCPError) as refused_one:
            await stack.enter_async_context(client.listen(tools_list_changed=True))
        somebody_else = await stack.enter_async_context(entered(address, other))
        theirs = await stack.enter_async_context(somebody_else.listen(tools_list_changed=True))
        assert theirs.honored.tools_list_changed is True

    assert refused_one.value.error.code == NOT_AVAILABLE
    assert "close one of them" in refused_one.value.error.message


def test_a_process_has_so_many_places_and_no_more() -> None:
    streams = Streams(most_of_one=2, most=3)

    with streams.place("a"), streams.place("a"), streams.place("b"):
        with pytest.raises(Unavailable, match="2 streams of yours"), streams.place("a"):
            pass
        with pytest.raises(Unavailable, match="Too many streams"), streams.place("c"):
            pass
    with streams.place("c") as ending:
        streams.end()
        assert ending.is_set()
        with pytest.raises(Unavailable, match="shutting down"), streams.place("d"):
            pass


class Watched(Streams):
    """Tells when a place is free again."""

    def __init__(self, *, most: int, send_seconds: float) -> None:
        super().__init__(most=most, send_seconds=send_seconds)
        self.freed = asyncio.Event()

    @contextmanager
    def place(self, whose: str) -> Generator[asyncio.Event]:
        try:
            with super().place(whose) as ending:
                yield ending
        finally:
            self.freed.set()


async def test_a_client_that_reads_nothing_loses_its_place(hub: WorkingHub) -> None:
    streams = Watched(most=1, send_seconds=0.05)
    door = mcp_door(hub.runtime, streams=streams)
    taken = asyncio.Event()

    async def stuck(_message: Message) -> None:
        taken.set()
        await asyncio.Event().wait()

    async with door.running():
        serving = asyncio.create_task(listening_raw(Starlette(routes=[*door.routes]), await hub.token(), stuck))
        await taken.wait()
        await hub.hold_back("note_post")  # now there is something to say
        await streams.freed.wait()
        with streams.place("somebody else"):
            pass
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def listening_raw(app: Starlette, token: str, send: Send) -> None:
    """Open a stream with nothing between the door and `send`."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}).encode()
    headers = {
        "host": "127.0.0.1:8420",
        "authorization": f"Bearer {token}",
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        await asyncio.Event().wait()
        raise AssertionError("nobody hangs up here")

    await app(scope, receive, send)


async def test_streams_end_in_good_order_when_the_hub_shuts_down(hub: WorkingHub) -> None:
    door = mcp_door(hub.runtime)
    async with (
        door.running(),
        served(Starlette(routes=[*door.routes])) as there,
        entered(there, await hub.token()) as client,
        client.listen(tools_list_changed=True) as stream,
    ):
        door.end_streams()

        assert [event async for event in stream] == []  # a stream that is lost would raise


async def test_the_server_of_the_hub_ends_streams_before_it_waits_for_them(hub: WorkingHub) -> None:
    door = mcp_door(hub.runtime)
    config = uvicorn.Config(Starlette(routes=[*door.routes]), log_config=None, lifespan="off")
    server = HubServer(config, before_waiting=door.end_streams)
    async with door.running(), running(server) as (there, serving):
        async with entered(there, await hub.token()) as client, client.listen(tools_list_changed=True) as stream:
            server.should_exit = True
            assert [event async for event in stream] == []
        await serving


@asynccontextmanager
async def running(server: uvicorn.Server) -> AsyncGenerator[tuple[str, asyncio.Task[None]]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", serving
        server.should_exit = True
        await serving
