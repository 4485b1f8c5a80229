"""Another process of the same hub, as far as its door goes: on PostgreSQL an engine of its own, which hears signals."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from starlette.applications import Starlette

from doors.agents import open_door
from doors.working_hub import PUBLIC_URL, WorkingHub
from hub.bundles import Bundles
from hub.identity.tokens import TokenVerifier
from hub.invocations.runtime import Runtime
from hub.registry import Catalog
from hub.storage import Database


@asynccontextmanager
async def replica(hub: WorkingHub) -> AsyncGenerator[Runtime]:
    """Yield what another process runs with; SQLite does not signal to others, so there it shares what is kept."""
    if hub.database.url.get_backend_name() == "sqlite":
        yield hub.runtime
        return
    there = Database(hub.database.url.render_as_string(hide_password=False))
    relays = [asyncio.create_task(one.relay_signals()) for one in (hub.database, there)]
    verifier = TokenVerifier(there, hub.runtime.keys, PUBLIC_URL)
    try:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(verifier.listening())
            yield replace(
                hub.runtime, database=there, catalog=Catalog(there), bundles=Bundles(there), verifier=verifier
            )
    finally:
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)
        await there.close()


@asynccontextmanager
async def another_door(hub: WorkingHub) -> AsyncGenerator[Starlette]:
    """Yield the door for agents of another process."""
    async with replica(hub) as runtime, open_door(runtime) as door:
        yield door
