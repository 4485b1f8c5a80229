"""Who answers for it: giving a tool, a connection or an agent to another owner, by the account name."""

from starlette.responses import Response

from hub import registry
from hub.core.errors import InputError
from hub.identity.owners import give_client, owner_named
from hub.identity.permissions import Permission, demand
from hub.registry import ConnectionChange
from hub.web.connection import connection_found, connection_page
from hub.web.person import person_shown
from hub.web.tool import tool_page, tool_shown
from hub.web.visits import Visit, redirect_telling


async def own_tool(visit: Visit) -> Response:
    """Give a tool to another owner."""
    demand(visit.person, Permission.SEE_CATALOG)
    tool = await tool_shown(visit)
    try:
        async with visit.runtime.database.transaction() as tx:
            owner_id = await owner_named(tx, visit.form.one("owner"))
            await registry.set_tool_owner(tx, tool.tool.id, owner_id, visit.own_authority)
    except InputError as error:
        return await tool_page(visit, problem=error.message)
    return redirect_telling(visit, visit.request.url.path.removesuffix("/owner"), "The tool has another owner.")


async def own_connection(visit: Visit) -> Response:
    """Give a connection to another owner; that makes a new generation of it, as every change does."""
    connection, _ = await connection_found(visit)
    try:
        async with visit.runtime.database.transaction() as tx:
            change = ConnectionChange(owner_id=await owner_named(tx, visit.form.one("owner")))
            await registry.change_connection(tx, connection.id, change, visit.own_authority)
    except InputError as error:
        return await connection_page(visit, problem=error.message)
    return redirect_telling(visit, f"/connections/{connection.id}", "The connection has another owner.")


async def own_agent(visit: Visit) -> Response:
    """Give an agent to another owner, who then decides nothing that it asks for nobody."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    agent_id = visit.request.path_params["principal_id"]
    try:
        async with visit.runtime.database.transaction() as tx:
            owner_id = await owner_named(tx, visit.form.one("owner"))
            await give_client(tx, agent_id, owner_id, visit.own_authority)
    except InputError as error:
        return await person_shown(visit, problem=error.message)
    return redirect_telling(visit, f"/people/{agent_id}", "The agent has another owner.")
