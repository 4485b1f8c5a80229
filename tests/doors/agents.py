"""A hub with its door for agents open, and clients of both eras that come in through it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from upstream.fixtures import Upstream

from doors.working_hub import PUBLIC_URL, WorkingHub, working_hub
from hub.keys import Keyring
from hub.mcp import mcp_door
from hub.storage import Database

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
async def hub(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[WorkingHub]:
    async with working_hub(database, keys, upstream) as running:
        yield running


@pytest.fixture
async def app(hub: WorkingHub) -> AsyncGenerator[Starlette]:
    door = mcp_door(hub.runtime)
    async with door.running():
        yield Starlette(routes=[*door.routes])


@pytest.fixture
async def http(app: Starlette) -> AsyncGenerator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC_URL) as client:
        yield client


@pytest.fixture
def connect(app: Starlette, hub: WorkingHub) -> Connect:
    """Opens MCP clients, of either era, with any token, at any server."""

    @asynccontextmanager
    async def opened(*, mode: str = "auto", token: str | None = None, path: str = "/mcp") -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {token or await hub.token()}"}
        transport = httpx2.ASGITransport(app)
        async with (
            httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers) as http,
            Client(streamable_http_client(f"{PUBLIC_URL}{path}", http_client=http), mode=mode, cache=None) as client,
        ):
            yield client

    return opened
