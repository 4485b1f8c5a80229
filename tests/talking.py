"""A world with a connector beside the usual one whose errors hold whatever the system said, and calls of its tools."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from upstream.fixtures import Upstream
from upstream.talkative import connector as talkative
from world import World, open_world

from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.registry import Environment, NewConnection, create_connection, register_connector
from hub.storage import Database


@asynccontextmanager
async def talkative_world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """Yield the world."""
    async with open_world(database, keys, upstream) as opened:
        authority = opened.runtime.authority
        async with database.transaction() as tx:
            await register_connector(tx, talkative.spec, authority)
            new = NewConnection(
                name="talkative", connector="talkative", environment=Environment.DEV, base_url=upstream.base_url
            )
            connection = await create_connection(tx, new, authority)
            await opened.runtime.vault.put(tx, connection.id, {"token": upstream.token}, authority)
        yield opened


async def talk(world: World, tool: str, run: str | None = None, **arguments: object) -> Invocation:
    """Invoke one of its tools, on the first item unless `id` says else."""
    caller = replace(world.caller, scopes=world.caller.scopes | {"talkative:write", "talkative:read"})
    return await world.call(tool, {"id": 1, **arguments}, caller=caller, run=run)
