"""What the hub is compared with: a proxy made of the SDK's own server and client, which governs nothing.

Run as `python -m benchmarks.ungoverned_proxy URL`, or with `--stdio FILE` for an upstream over pipes that counts in
FILE; it prints `{"port": ...}` when it listens.
"""

import contextlib
import sys
from collections.abc import AsyncGenerator
from typing import Any

import mcp_types as types
from mcp import Client, StdioServerParameters, stdio_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from benchmarks.upstream import add_schema, serve

Context = ServerRequestContext[Any]


class Proxy:
    """Passes calls on, through one client that stays connected."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @contextlib.asynccontextmanager
    async def connected(self, _server: Server[Any]) -> AsyncGenerator[dict[str, Any]]:
        """Stay connected for as long as the server runs."""
        async with self._client:
            yield {}

    async def list(self, _context: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """Return the upstream's tools."""
        return await self._client.list_tools()

    async def call(self, _context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Return the upstream's answer."""
        return await self._client.call_tool(params.name, params.arguments)


def _client(words: list[str]) -> Client:
    if words[0] != "--stdio":
        return Client(words[0])
    program = StdioServerParameters(command=sys.executable, args=["-m", "benchmarks.upstream", *words])
    return Client(stdio_client(program))


def main() -> None:
    """Serve the proxy."""
    proxy = Proxy(_client(sys.argv[1:]))
    server: Server[Any] = Server(
        "bench-proxy",
        on_list_tools=proxy.list,
        on_call_tool=proxy.call,
        get_tool_input_schema=add_schema,
        lifespan=proxy.connected,
    )
    serve(server.streamable_http_app(json_response=True, stateless_http=True))


if __name__ == "__main__":
    main()
