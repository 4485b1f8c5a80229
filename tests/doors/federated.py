"""Connecting a federated server to a working hub: looked at over one connection, offered over another."""

from connectors.mcp_upstream import Discovery, Owner
from doors.working_hub import WorkingHub
from hub.registry import (
    Environment,
    NewConnection,
    create_connection,
    disable_connection,
    get_connection,
    register_connector,
)


async def connect_federated(hub: WorkingHub, owner: Owner, url: str) -> str:
    """Offer what the server at `url` lists, as its owner has it; return the id of the connection, named like him."""
    async with hub.database.transaction() as tx:
        probe = NewConnection(
            name="probe", connector="upstream", environment=Environment.DEV, base_url=url, prefix="p_"
        )
        made = await create_connection(tx, probe, hub.authority)
        await hub.runtime.vault.put(tx, made.id, {"token": "none"}, hub.authority)
        there = await get_connection(tx, made.id)
    found = await hub.runtime.executor.discover(owner, there)
    assert isinstance(found, Discovery), found
    async with hub.database.transaction() as tx:
        await disable_connection(tx, made.id, hub.authority, reason="only for looking")
        await register_connector(tx, found.spec, hub.authority)
        new = NewConnection(name=owner.name, connector=owner.name, environment=Environment.DEV, base_url=url)
        return (await create_connection(tx, new, hub.authority)).id
