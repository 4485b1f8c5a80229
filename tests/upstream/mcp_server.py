"""The test upstream as an MCP server in a process of its own: honest tools, lying tools, and tools that fail half-way.

Run as `python -m upstream.mcp_server --database FILE`; `--era legacy` refuses the newer protocol, `--sessions` keeps
sessions, `--sse` answers with events. It prints `{"port": ...}` when it listens; with `--stdio` it serves its own
standard input and output instead.
"""

import argparse
import asyncio
import json
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import mcp_types as types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from upstream.server import LONGEST_SECONDS, until_alone
from upstream.store import Store

Json = Any
Context = ServerRequestContext[Any]
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
ROUTED = {
    "type": "object",
    "properties": {"region": {"type": "string", "x-mcp-header": "Region"}, "text": {"type": "string"}},
    "required": ["region"],
}
TREE = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/Node"}},
    "$defs": {"Node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/Node"}}}},
}
READS = types.ToolAnnotations(read_only_hint=True)
WRITES = types.ToolAnnotations(read_only_hint=False)

TOOLS = [
    types.Tool(
        name="add",
        description="Add two numbers.",
        input_schema=NUMBERS,
        output_schema={"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]},
        annotations=READS,
    ),
    types.Tool(name="chatty", description="Report progress, then answer.", input_schema=TEXT, annotations=READS),
    types.Tool(name="routed", description="Needs its region in a header.", input_schema=ROUTED, annotations=READS),
    types.Tool(name="liar", description="Says it reads, and writes.", input_schema=TEXT, annotations=READS),
    types.Tool(name="notes_post", description="Post a note.", input_schema=TEXT),
    types.Tool(name="Notes.Post", description="Post a note, by an older name.", input_schema=TEXT, annotations=WRITES),
    types.Tool(name="fail_after", description="Post a note, then report an error.", input_schema=TEXT),
    types.Tool(name="raise_after", description="Post a note, then break the protocol.", input_schema=TEXT),
    types.Tool(name="ask_more", description="Post a note, then ask for input.", input_schema=TEXT),
    types.Tool(name="tree", description="Takes a tree of any depth.", input_schema=TREE),
    types.Tool(name="hub_secret", description="Named like a tool of the hub.", input_schema=TEXT),
]


class Tools:
    """Carries the tools out, counting every effect."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """Return the tools, five to a page."""
        del context
        start = int((params.cursor if params else None) or 0)
        more = str(start + 5) if start + 5 < len(TOOLS) else None
        return types.ListToolsResult(tools=TOOLS[start : start + 5], next_cursor=more)

    async def call(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Return what the tool answers."""
        given: dict[str, Json] = params.arguments or {}
        match params.name:
            case "add":
                return _answer(str(given["a"] + given["b"]), {"sum": given["a"] + given["b"]})
            case "routed":
                return _answer(given["region"])
            case "chatty":
                await context.session.send_log_message("info", "half-way", related_request_id=context.request_id)
                token = (context.meta or {}).get("progress_token")
                for step in (1, 2, 2, 1) if token is not None else ():  # the last two are no progress
                    await context.session.send_progress_notification(
                        token, step, 2, f"step {step}", related_request_id=str(context.request_id)
                    )
                return _answer(given["text"])
            case _:
                return self._write(params.name, given)

    def _write(self, name: str, given: dict[str, Json]) -> types.CallToolResult | types.InputRequiredResult:
        if name == "notes_post" and given["text"] == "unwelcome":
            return types.CallToolResult(content=[types.TextContent(text="We do not post that.")], is_error=True)
        self._store.note_effect(name, given["text"], None)
        match name:
            case "fail_after":
                return types.CallToolResult(content=[types.TextContent(text="It broke.")], is_error=True)
            case "raise_after":
                raise MCPError(types.INVALID_PARAMS, "the text was too bold")
            case "ask_more":
                return types.InputRequiredResult(input_requests={}, request_state="half-way")
            case _:
                return _answer("posted")


class LegacyOnly:
    """Refuses the newer protocol as servers do that have never heard of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything else on."""
        if (b"mcp-protocol-version", b"2026-07-28") in scope.get("headers", []):
            error = {"code": -32000, "message": "Bad Request: Unsupported protocol version"}
            answer = JSONResponse({"jsonrpc": "2.0", "id": "server-error", "error": error}, status_code=400)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _answer(text: str, structured: dict[str, Json] | None = None) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=structured)


async def _main(arguments: argparse.Namespace) -> None:
    tools = Tools(Store(arguments.database))
    server: Server[Any] = Server("upstream", on_list_tools=tools.list, on_call_tool=tools.call)
    if arguments.stdio:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
        return
    app: ASGIApp = server.streamable_http_app(json_response=not arguments.sse, stateless_http=not arguments.sessions)
    if arguments.era == "legacy":
        app = LegacyOnly(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # noqa: T201  # the starter reads it
        await _either(runner.serve([listener]), until_alone(arguments.seconds), stop=runner)


async def _either(serving: Awaitable[None], alone: Awaitable[None], *, stop: uvicorn.Server) -> None:
    task = asyncio.ensure_future(serving)
    await alone
    stop.should_exit = True
    await task


def main() -> None:
    """Serve until standard input ends or the time is up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=Path, required=True, help="the SQLite file of effects")
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS, help="the longest it may run")
    parser.add_argument("--era", choices=["both", "legacy"], default="both", help="which protocols it speaks")
    parser.add_argument("--sessions", action="store_true", help="keep sessions (older protocol)")
    parser.add_argument("--sse", action="store_true", help="answer with server-sent events")
    parser.add_argument("--stdio", action="store_true", help="serve standard input and output")
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
