"""Runs the test upstream on loopback: `python -m conformance.everything`; it prints `{"port": ...}` when it listens."""

import asyncio
import json
import socket

import uvicorn
from upstream.server import until_alone

from conformance.everything.events import Sent
from conformance.everything.serving import made

_LONGEST_SECONDS = 3600
_RETRY_MILLISECONDS = 100


async def _serve() -> None:
    app = made().streamable_http_app(event_store=Sent(), retry_interval=_RETRY_MILLISECONDS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=1))
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)  # noqa: T201  # the starter reads it
        serving = asyncio.ensure_future(runner.serve([listener]))
        await until_alone(_LONGEST_SECONDS)
        runner.should_exit = True
        await serving


asyncio.run(_serve())
