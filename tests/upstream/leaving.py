"""An MCP server of the older protocol that leaves the streams of its calls before it answers, and keeps their events.

Run as `python -m upstream.leaving`; it prints `{"port": ...}` when it listens. The stream of a call is left three
times, each time when its client has heard of it; `post` then keeps the text, `posted` returns what is kept. `tell`
tells who has subscribed that a resource has changed, `leave` leaves the streams of news.
"""

from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.shared.message import ServerMessageMetadata

from upstream.listening import serve
from upstream.mcp_server import LegacyOnly

Context = ServerRequestContext[Any]
Page = types.PaginatedRequestParams | None
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
RETRY_MILLISECONDS = 100
LEAVES = 3


class Kept(EventStore):
    """The events of all streams; their ids say their places."""

    def __init__(self) -> None:
        self._events: list[tuple[str, types.JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: types.JSONRPCMessage | None) -> str:
        """Keep an event and return its id."""
        self._events.append((stream_id, message))
        return f"event {len(self._events)}"

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send again what came on the same stream after an event."""
        last = int(last_event_id.removeprefix("event "))
        stream_id = self._events[last - 1][0]
        for number, (of, message) in enumerate(self._events[last:], last + 1):
            if of == stream_id and message is not None:
                await send_callback(EventMessage(message, f"event {number}"))
        return stream_id


class Leaving:
    """The tools, and who listens."""

    def __init__(self) -> None:
        self._posted: list[str] = []
        self._listening: list[Context] = []

    async def tools(self, _context: Context, _params: Page) -> types.ListToolsResult:
        """List the tools."""
        named = ("post", "posted", "tell", "leave")
        return types.ListToolsResult(tools=[types.Tool(name=name, input_schema=TEXT) for name in named])

    async def resources(self, _context: Context, _params: Page) -> types.ListResourcesResult:
        """List nothing: only who lists resources is subscribed to."""
        return types.ListResourcesResult(resources=[])

    async def subscribe(self, context: Context, _params: types.SubscribeRequestParams) -> types.EmptyResult:
        """Remember who listens."""
        self._listening.append(context)
        return types.EmptyResult()

    async def call(self, context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Do it, on a stream that is left again and again."""
        text = (params.arguments or {})["text"]
        if params.name == "tell":
            for one in self._listening:
                await one.session.send_resource_updated(text)
        elif params.name == "leave":
            for one in self._listening:
                assert one.close_standalone_sse_stream is not None
                await one.close_standalone_sse_stream()
        else:
            await self._leave(context)
            if params.name == "post":
                self._posted.append(text)
        return types.CallToolResult(content=[types.TextContent(text=", ".join(self._posted))])

    async def _leave(self, context: Context) -> None:
        assert context.close_sse_stream is not None
        of_the_call = ServerMessageMetadata(related_request_id=context.request_id)
        for number in range(1, LEAVES + 1):
            await context.session.send_log_message("info", number, related_request_id=context.request_id)
            await context.session.send_request(types.PingRequest(), types.EmptyResult, metadata=of_the_call)
            await context.close_sse_stream()


def main() -> None:
    """Serve until standard input ends."""
    leaving = Leaving()
    server: Server[Any] = Server(
        "leaving",
        on_list_tools=leaving.tools,
        on_call_tool=leaving.call,
        on_list_resources=leaving.resources,
        on_subscribe_resource=leaving.subscribe,
    )
    app = server.streamable_http_app(event_store=Kept(), retry_interval=RETRY_MILLISECONDS)
    serve(server, LegacyOnly(app), __doc__)


if __name__ == "__main__":
    main()
