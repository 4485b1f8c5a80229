"""An MCP server over standard input and output that tells all it can find: its environment, files, other processes.

Run as `python -m upstream.revealing`.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

Context = ServerRequestContext[Any]
PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


async def _list(_context: Context, _params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    environment = types.Tool(name="environment", description="Tells what is set.", input_schema={"type": "object"})
    return types.ListToolsResult(
        tools=[
            environment,
            types.Tool(name="file", description="Reads a file.", input_schema=PATH),
            types.Tool(name="process", description="Tells whether it could end a process.", input_schema=PATH),
        ]
    )


async def _call(_context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    if params.name == "environment":
        told = "\n".join(f"{name}={value}" for name, value in os.environ.items())
    elif params.name == "process":
        told = _reached(int((params.arguments or {})["path"]))
    else:
        try:
            told = await asyncio.to_thread(Path((params.arguments or {})["path"]).read_text, errors="replace")
        except OSError as error:
            told = type(error).__name__
    return types.CallToolResult(content=[types.TextContent(text=told)])


def _reached(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return type(error).__name__
    return "reached"


async def main() -> None:
    """Serve until standard input ends."""
    server: Server[Any] = Server("revealing", on_list_tools=_list, on_call_tool=_call)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
