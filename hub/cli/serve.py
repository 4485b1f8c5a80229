"""`toolhub serve`: the hub with all its doors on one address."""

import errno
import gc
import socket
from collections.abc import Callable
from typing import Annotated, Final

import typer
import uvicorn
from starlette.types import ASGIApp

from hub.app import create_app
from hub.bundles import publish_default
from hub.cli.console import err, fail, out, run, settings, spelling
from hub.cli.patience import Patience, may_open_many_files
from hub.identity.bootstrap import offer_first_administrator
from hub.invocations.runtime import Runtime
from hub.opening import missing_database, open_database, prepare_home
from hub.settings import Settings
from hub.storage import Database, served_alone
from hub.storage.migrations import current, head, upgrade
from hub.wiring import keeping, notifications, open_runtime, slack_door

YOUNG_OBJECTS: Final = 10_000
"""So many objects are made, less those that are gone, before cycles are looked for among them."""


def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; default TOOLHUB_HOST or 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port to listen on; default TOOLHUB_PORT or 8420.")
    ] = None,
) -> None:
    """Serve the hub: the MCP endpoints, the authorization server, the API and the web pages.

    On SQLite (the default) this one process is everything. On PostgreSQL run `toolhub worker` beside it.

    Examples:
      toolhub serve

      toolhub serve --port 9000

      TOOLHUB_DATABASE_URL=postgresql+asyncpg://hub@db/hub toolhub serve
    """
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    chosen = settings().model_copy(update=given)
    for one in spelling():
        err.print(f"[yellow]Look:[/] {one}", highlight=False, soft_wrap=True)
    run(_serve(chosen))


async def _serve(chosen: Settings) -> None:
    prepare_home(chosen)
    with _listening(chosen) as listener, served_alone(chosen.database):
        await _serve_on(listener, chosen.model_copy(update={"port": listener.getsockname()[1]}))


def _listening(chosen: Settings) -> socket.socket:
    """Take the address before anything is changed: a hub that cannot be reached must not disturb one that can."""
    family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
    try:
        return socket.create_server((chosen.host, chosen.port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(f"Port {chosen.port} of {chosen.host} is in use. Choose another one with --port or TOOLHUB_PORT.")
        fail(f"The hub cannot listen on {chosen.host}, port {chosen.port}: {error.strerror}. See --host and --port.")


async def _serve_on(listener: socket.socket, chosen: Settings) -> None:
    made = missing_database(chosen)
    async with open_database(chosen) as database:
        await _bring_up_to_date(database)
    if made is not None:
        told = f"A new, empty hub was made in {made.parent.resolve()}. If you have one already, check TOOLHUB_HOME."
        out.print(told, highlight=False, soft_wrap=True)
    async with open_runtime(chosen) as runtime:
        await _first_steps(runtime)
        app = create_app(runtime, notifications(chosen, runtime), slack_door(chosen, runtime), keeping(chosen))
        await runtime.catalog.warm()
        _spare_what_stays()
        out.print(f"The hub is at [bold]{chosen.address}[/]  (MCP: {chosen.address}/mcp)", highlight=False)
        await HubServer(server_config(app, chosen), before_waiting=app.state.end_streams).serve(sockets=[listener])


def _spare_what_stays() -> None:
    """Keep garbage collections from looking at code and all else that stays until the hub ends, and from being many.

    What a call leaves behind goes with its last reference; looking for cycles took a tenth of the hub's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


class HubServer(uvicorn.Server):
    """A server that lets open streams end in good order before it waits for connections to close."""

    def __init__(self, config: uvicorn.Config, *, before_waiting: Callable[[], None]) -> None:
        super().__init__(config)
        self._before_waiting = before_waiting

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, and end what is open."""
        self._before_waiting()
        await super().shutdown(sockets)


def server_config(app: ASGIApp, chosen: Settings) -> uvicorn.Config:
    """Return how `app` is served: where a request came from is what the socket says, or a proxy the settings trust."""
    return uvicorn.Config(
        app,
        http=Patience,
        limit_concurrency=may_open_many_files(),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(chosen.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in chosen.trusted_proxies],
    )


async def _bring_up_to_date(database: Database) -> None:
    revision = await current(database)
    if revision == head():
        return
    if not database.is_sqlite:
        fail(f"The database is at revision {revision}, this release needs {head()}. Run `toolhub migrate` first.")
    await upgrade(database)


async def _first_steps(runtime: Runtime) -> None:
    """Put the default policy and groups on record, and offer the first administrator on an empty database."""
    async with runtime.database.transaction() as tx:
        # first, for the lock it holds: replicas that start at once take these steps one after the other
        link = await offer_first_administrator(tx, runtime.database, runtime.public_url)
        await publish_default(tx, runtime.database, runtime.keys, environment=runtime.environment)
    if link is not None:
        out.print(f"Nobody has an account yet. Make the first administrator here, within the hour:\n  {link}")
