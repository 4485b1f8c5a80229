"""The same tool in a second place: at a server beside the built-in one, or over another connection from now on."""

from sqlalchemy import delete, update

from doors.working_hub import WorkingHub
from hub.registry import (
    Environment,
    NewConnection,
    NewServer,
    Offer,
    create_connection,
    create_server,
    find_tool,
    publish,
)
from hub.registry.tables import EntryRow


async def also_at_sales(hub: WorkingHub, connector: str, tool: str, connection_id: str) -> None:
    """Publish a tool at a server called sales, too."""
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        found = await find_tool(tx, connector, tool)
        assert found is not None
        await publish(tx, Offer(server="sales", tool_id=found.id, connection_id=connection_id), hub.authority)


async def over_another_connection(hub: WorkingHub, connector: str, tool: str, url: str) -> None:
    """Offer a tool under the name it has, but over another connection of its connector, as an operator may do."""
    async with hub.database.transaction() as tx:
        new = NewConnection(name="another", connector=connector, environment=Environment.DEV, base_url=url, prefix="b_")
        made = await create_connection(tx, new, hub.authority)
        await tx.execute(delete(EntryRow).where(EntryRow.connection_id == made.id))
        await tx.execute(update(EntryRow).where(EntryRow.name == tool).values(connection_id=made.id))
