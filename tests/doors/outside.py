"""The door for agents behind a real socket, for what streams: an answer that does not end cannot be had in process."""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from starlette.types import ASGIApp

from doors.working_hub import PUBLIC_URL

Enter = Callable[..., AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncGenerator[str]:
    """Serve `app` on a free loopback port in this event loop; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with served_at(listening, app):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@asynccontextmanager
async def served_at(listening: socket.socket, app: ASGIApp) -> AsyncGenerator[None]:
    """Serve `app` on a socket in this event loop."""
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def entered(address: str, token: str, **more: Any) -> AsyncIterator[Client]:  # noqa: ANN401  # as the SDK has it
    """Yield an MCP client that has come in at `address`, where the hub is reached under its public name."""
    headers = {"Authorization": f"Bearer {token}", "Host": urlsplit(PUBLIC_URL).netloc}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=120) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), cache=None, **more) as client,
    ):
        yield client
