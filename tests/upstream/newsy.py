"""An MCP server of both protocol eras that tells of changes: its tool `publish` says what has changed.

Run as `python -m upstream.newsy [--stdio]`; without that it prints `{"port": ...}` when it listens. Publishing `tools`
tells that the list of tools has changed, and `hang-up` ends the streams; anything else is a resource.
"""

import argparse
import asyncio
import json
import socket
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated, ToolsListChanged

from upstream.server import until_alone

Context = ServerRequestContext[Any]
Page = types.PaginatedRequestParams | None
PUBLISH = types.Tool(
    name="publish",
    description="Tells of a change.",
    input_schema={"type": "object", "properties": {"uri": {"type": "string"}}, "required": ["uri"]},
)


class Newsroom:
    """Who is told: streams of the newer protocol by the bus, and sessions of the older one that have subscribed."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.streams = ListenHandler(self.bus)
        self._sessions: dict[str, list[Any]] = {}

    async def tools(self, _context: Context, _params: Page) -> types.ListToolsResult:
        """List the one tool."""
        return types.ListToolsResult(tools=[PUBLISH])

    async def resources(self, _context: Context, _params: Page) -> types.ListResourcesResult:
        """List two resources."""
        listed = [types.Resource(uri=f"news://{name}", name=name) for name in ("sports", "weather")]
        return types.ListResourcesResult(resources=listed)

    async def read(self, _context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """Return the news."""
        return types.ReadResourceResult(contents=[types.TextResourceContents(uri=str(params.uri), text="News.")])

    async def subscribe(self, context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Remember the session."""
        self._sessions.setdefault(str(params.uri), []).append(context.session)
        return types.EmptyResult()

    async def publish(self, _context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Tell everybody who wants to hear it."""
        uri = (params.arguments or {})["uri"]
        if uri == "hang-up":
            self.streams.close()
            return types.CallToolResult(content=[types.TextContent(text="ended")])
        await self.bus.publish(ToolsListChanged() if uri == "tools" else ResourceUpdated(uri=uri))
        for session in self._sessions.get(uri, ()):
            await session.send_resource_updated(uri)
        for session in {id(one): one for all_ in self._sessions.values() for one in all_}.values():
            if uri == "tools":
                await session.send_tool_list_changed()
        return types.CallToolResult(content=[types.TextContent(text="told")])


def server(room: Newsroom) -> Server[Any]:
    """Return the server."""
    return Server(
        "newsy",
        on_list_tools=room.tools,
        on_call_tool=room.publish,
        on_list_resources=room.resources,
        on_read_resource=room.read,
        on_subscribe_resource=room.subscribe,
        on_subscriptions_listen=room.streams,
    )


async def _main(arguments: argparse.Namespace) -> None:
    made = server(Newsroom())
    if arguments.stdio:
        async with stdio_server() as (incoming, outgoing):
            await made.run(incoming, outgoing, made.create_initialization_options())
        return
    app = made.streamable_http_app()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1))
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # noqa: T201  # the starter reads it
        serving = asyncio.ensure_future(runner.serve([listener]))
        await until_alone(900)
        runner.should_exit = True
        await serving


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stdio", action="store_true", help="serve standard input and output")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
