"""Where the door stands: the MCP endpoints, and the metadata that leads clients to a token for them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from starlette.routing import Route

from hub.invocations.runtime import Runtime
from hub.mcp.endpoint import Endpoint
from hub.mcp.metadata import WELL_KNOWN, resource_metadata
from hub.mcp.servers import Servers
from hub.mcp.streams import Streams


@dataclass(frozen=True, slots=True, kw_only=True)
class McpDoor:
    """The routes of the door; they answer only while it is `running`."""

    routes: tuple[Route, ...]
    servers: Servers
    streams: Streams

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Serve for as long as the block lasts; the application's lifespan opens it once."""
        async with self.servers.running():
            yield

    def end_streams(self) -> None:
        """Let every open stream end in good order: for when the hub is about to go, which waits for them."""
        self.streams.end()
        self.servers.by_get.end()


def mcp_door(runtime: Runtime, *, streams: Streams | None = None) -> McpDoor:
    """Return the door for agents: `/mcp`, `/servers/{server}/mcp` and the metadata of both."""
    streams = streams or Streams()
    servers = Servers(runtime, streams)
    endpoint = Endpoint(runtime, servers)
    described = partial(resource_metadata, runtime)
    read = ["GET", "OPTIONS"]
    routes = (
        Route("/mcp", endpoint),
        Route("/servers/{server}/mcp", endpoint),
        Route(f"{WELL_KNOWN}/mcp", described, methods=read),
        Route(f"{WELL_KNOWN}/servers/{{server}}/mcp", described, methods=read),
    )
    return McpDoor(routes=routes, servers=servers, streams=streams)
