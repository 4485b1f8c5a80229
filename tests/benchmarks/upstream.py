"""The measured upstream: one read tool on the SDK's low-level server, in a process of its own, which counts its calls.

Run as `python -m benchmarks.upstream`; it prints `{"port": ...}` when it listens, ends with its standard input, and
answers `GET /calls` with how often its tool was called. As `python -m benchmarks.upstream --stdio FILE` it serves its
standard input and output, and counts in the first eight bytes of the file.
"""

import asyncio
import json
import mmap
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp
from upstream.server import until_alone

Context = ServerRequestContext[Any]

NUMBER = {"type": "integer", "minimum": -1_000_000, "maximum": 1_000_000}
ADD = types.Tool(
    name="add",
    description="Add two numbers.",
    input_schema={"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]},
    output_schema={"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]},
    annotations=types.ToolAnnotations(read_only_hint=True),
)
LONGEST_SECONDS = 1800.0


class Adder:
    """The tool, and the number of times it was called."""

    def __init__(self, kept: mmap.mmap | None = None) -> None:
        self.calls = 0
        self._kept = kept

    async def list(self, _context: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """Return the one tool."""
        return types.ListToolsResult(tools=[ADD])

    async def call(self, _context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        """Return the sum."""
        self.calls += 1
        if self._kept is not None:
            self._kept[:8] = struct.pack("<Q", self.calls)
        given = params.arguments or {}
        total = given["a"] + given["b"]
        return types.CallToolResult(content=[types.TextContent(text=str(total))], structured_content={"sum": total})

    async def count(self, _request: Request) -> PlainTextResponse:
        """Answer how often the tool was called."""
        return PlainTextResponse(str(self.calls))


def add_schema(name: str) -> dict[str, Any] | None:
    """Return the schema the SDK asks for on each call of the newer protocol; without it it would list all tools."""
    return ADD.input_schema if name == ADD.name else None


def serve(app: ASGIApp) -> None:
    """Serve `app` on a free loopback port as uvicorn does, print the port, and end with the standard input."""
    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="on")
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(uvicorn.Server(config)))


async def _serve(server: uvicorn.Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # noqa: T201  # the starter reads it
        serving = asyncio.ensure_future(server.serve([listener]))
        await until_alone(LONGEST_SECONDS)
        server.should_exit = True
        await serving


def counted(file: Path) -> int:
    """Return what an upstream over standard input and output has counted."""
    (number,) = struct.unpack("<Q", file.read_bytes()[:8])
    return int(number)


async def _over_stdio(file: Path) -> None:
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 8) as kept:
        adder = Adder(kept)
        server: Server[Any] = Server(
            "bench-upstream", on_list_tools=adder.list, on_call_tool=adder.call, get_tool_input_schema=add_schema
        )
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())


def main() -> None:
    """Serve the upstream."""
    if sys.argv[1:2] == ["--stdio"]:
        asyncio.run(_over_stdio(Path(sys.argv[2])))
        return
    adder = Adder()
    server: Server[Any] = Server(
        "bench-upstream", on_list_tools=adder.list, on_call_tool=adder.call, get_tool_input_schema=add_schema
    )
    app = server.streamable_http_app(json_response=True, stateless_http=True)
    app.router.routes.append(Route("/calls", adder.count))
    serve(app)


if __name__ == "__main__":
    main()
