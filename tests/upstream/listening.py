"""Serving an MCP server for tests from its own process, until whoever started it is gone."""

import argparse
import asyncio
import json
import socket
from typing import Any

import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from starlette.types import ASGIApp

from upstream.server import until_alone


async def listen(app: ASGIApp) -> None:
    """Serve `app` on a port of this machine, and print `{"port": ...}` for the starter."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1))
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # noqa: T201  # the starter reads it
        serving = asyncio.ensure_future(runner.serve([listener]))
        await until_alone()
        runner.should_exit = True
        await serving


def serve(made: Server[Any], app: ASGIApp, description: str | None) -> None:
    """Serve `app`, or with `--stdio` the server `made` itself on standard input and output."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--stdio", action="store_true", help="serve standard input and output")
    asyncio.run(_speak(made) if parser.parse_args().stdio else listen(app))


async def _speak(made: Server[Any]) -> None:
    async with stdio_server() as (incoming, outgoing):
        await made.run(incoming, outgoing, made.create_initialization_options())
