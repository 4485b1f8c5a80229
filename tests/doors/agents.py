"""A hub with its door for agents open, and clients of both eras that come in through it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from upstream.fixtures import Upstream

from doors.working_hub import PUBLIC_URL, WorkingHub, working_hub
from hub.invocations.runtime import Runtime
from hub.keys import Keyring
from hub.mcp import mcp_door
from hub.storage import Database

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])
BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)

Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
async def hub(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[WorkingHub]:
    async with working_hub(database, keys, upstream) as running:
        yield running


@asynccontextmanager
async def open_door(runtime: Runtime) -> AsyncGenerator[Starlette]:
    """Yield an application with nothing but the door for agents in it."""
    door = mcp_door(runtime)
    async with door.running():
        yield Starlette(routes=[*door.routes])


@asynccontextmanager
async def opened(
    app: Starlette,
    token: str,
    *,
    mode: str = "auto",
    path: str = "/mcp",
    **more: Any,  # noqa: ANN401  # what the SDK's client takes
) -> AsyncIterator[Client]:
    """Yield an MCP client that has come in through the door; `more` is what else it can do."""
    headers = {"Authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app)
    async with (
        httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL, headers=headers) as http,
        Client(
            streamable_http_client(f"{PUBLIC_URL}{path}", http_client=http), mode=mode, cache=None, **more
        ) as client,
    ):
        yield client


@pytest.fixture
async def app(hub: WorkingHub) -> AsyncGenerator[Starlette]:
    async with open_door(hub.runtime) as door:
        yield door


@pytest.fixture
async def http(app: Starlette) -> AsyncGenerator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC_URL) as client:
        yield client


@pytest.fixture
def connect(app: Starlette, hub: WorkingHub) -> Connect:
    """Opens MCP clients, of either era, with any token, at any server."""

    @asynccontextmanager
    async def connected(
        *,
        mode: str = "auto",
        token: str | None = None,
        path: str = "/mcp",
        **more: Any,  # noqa: ANN401  # what the SDK's client takes
    ) -> AsyncIterator[Client]:
        async with opened(app, token or await hub.token(), mode=mode, path=path, **more) as client:
            yield client

    return connected
