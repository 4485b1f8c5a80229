"""The application: every door on one address, and on SQLite the worker beside them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount

from hub.api import Probes, create_api
from hub.erasures import USUAL, Keeping
from hub.invocations.runtime import Runtime
from hub.mcp import mcp_door
from hub.oauth import oauth_routes
from hub.web import SlackDoor, lost, web_routes
from hub.worker import LOOK_AGAIN_SECONDS, Notify, keep, work


def create_app(runtime: Runtime, notify: Notify, slack: SlackDoor | None = None, keeping: Keeping = USUAL) -> Starlette:
    """Return the hub's web application over `runtime`; `slack` answers for a Slack app, if there is one.

    The worker runs inside it on SQLite, which has one process; on PostgreSQL it is a process of its own. Before
    whatever serves it waits for connections to close, it calls `state.end_streams`: streams do not end by themselves.
    """
    door = mcp_door(runtime)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(door.running())
            await runtime.catalog.warm()
            background = [
                keep(runtime.database.relay_signals, pause=LOOK_AGAIN_SECONDS),
                keep(runtime.keys.keep_fresh, pause=LOOK_AGAIN_SECONDS),
            ]
            if runtime.database.is_sqlite:
                background.append(work(runtime, notify, keeping))
            tasks = [asyncio.create_task(job) for job in background]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    routes = [
        *door.routes,
        *oauth_routes(runtime),
        Mount("/api/v1", create_api(runtime)),
        *web_routes(runtime, slack),
    ]
    handlers = {404: lost(runtime), ClientDisconnect: _nobody_reads}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.state.end_streams = door.end_streams
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_own_names(runtime.public_url), www_redirect=False)
    app.add_middleware(Probes, database=runtime.database)  # in front of the names: machines know an address alone
    return app


async def _nobody_reads(_request: Request, _error: Exception) -> Response:
    """Answer who hung up half way, or was too slow: it is no failure of the hub."""
    return Response(status_code=400)


def _own_names(public_url: str) -> list[str]:
    """Return the names under which this hub may be asked, against DNS rebinding; the MCP door checks the port too."""
    name = urlsplit(public_url).hostname or ""
    loopback = ["127.0.0.1", "localhost", "::1", "[::1]"]
    return loopback if name in loopback else [name]
