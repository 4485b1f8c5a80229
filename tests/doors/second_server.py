"""A server beside the built-in one, at which the same agent may call the same tool."""

from doors.working_hub import WorkingHub
from hub.registry import Environment, NewServer, Offer, create_server, find_tool, publish


async def also_at_sales(hub: WorkingHub, connector: str, tool: str, connection_id: str) -> None:
    """Publish a tool at a server called sales, too."""
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        found = await find_tool(tx, connector, tool)
        assert found is not None
        await publish(tx, Offer(server="sales", tool_id=found.id, connection_id=connection_id), hub.authority)
