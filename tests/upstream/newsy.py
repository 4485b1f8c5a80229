"""An MCP server of both protocol eras that tells of changes: its tool `publish` says what has changed.

Run as `python -m upstream.newsy [--stdio]`; without that it prints `{"port": ...}` when it listens. Publishing `tools`
tells that the list of tools has changed, and `hang-up` ends the streams; anything else is a resource.
"""

from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated, ToolsListChanged

from upstream.listening import serve

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


def main() -> None:
    """Serve until standard input ends."""
    made = server(Newsroom())
    serve(made, made.streamable_http_app(), __doc__)


if __name__ == "__main__":
    main()
