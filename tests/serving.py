"""A whole hub on a free loopback port, for tests that come from outside: browsers and clients."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import uvicorn
from starlette.types import ASGIApp
from world import World

from hub.app import create_app
from hub.identity.tokens import TokenVerifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A hub that is being served, and where."""

    world: World
    address: str


@asynccontextmanager
async def serve(
    world: World, *, behind: Callable[[ASGIApp], ASGIApp] | None = None, name: str = "127.0.0.1"
) -> AsyncGenerator[Served]:
    """Serve the application of `world`, with its worker, in this event loop until the block ends.

    `behind` makes what stands between it and everybody else, as a proxy would; `name` is what the hub calls itself.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://{name}:{listening.getsockname()[1]}"
    verifier = TokenVerifier(world.runtime.database, world.runtime.keys, address)
    there = replace(world, runtime=replace(world.runtime, public_url=address, verifier=verifier))
    app: ASGIApp = create_app(there.runtime, {})
    server = uvicorn.Server(uvicorn.Config(behind(app) if behind else app, log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield Served(world=there, address=address)
    finally:
        server.should_exit = True
        await serving
        listening.close()
