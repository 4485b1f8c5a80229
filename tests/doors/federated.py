"""Connecting a federated server to a hub: looked at over one connection, offered over another."""

from connectors.mcp_upstream import Discovery, Owner
from hub.invocations.runtime import Runtime
from hub.registry import (
    Environment,
    NewConnection,
    create_connection,
    disable_connection,
    get_connection,
    register_connector,
)


async def connect_federated(runtime: Runtime, owner: Owner, url: str) -> str:
    """Offer what the server at `url` lists, as its owner has it; return the id of the connection, named like him."""
    async with runtime.database.transaction() as tx:
        probe = NewConnection(
            name="probe", connector="upstream", environment=Environment.DEV, base_url=url, prefix="p_"
        )
        made = await create_connection(tx, probe, runtime.authority)
        await runtime.vault.put(tx, made.id, {"token": "none"}, runtime.authority)
        there = await get_connection(tx, made.id)
    found = await runtime.executor.discover(owner, there)
    assert isinstance(found, Discovery), found
    async with runtime.database.transaction() as tx:
        await disable_connection(tx, made.id, runtime.authority, reason="only for looking")
        await register_connector(tx, found.spec, runtime.authority)
        new = NewConnection(name=owner.name, connector=owner.name, environment=Environment.DEV, base_url=url)
        return (await create_connection(tx, new, runtime.authority)).id
