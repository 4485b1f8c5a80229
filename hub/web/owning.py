"""Who answers for it: giving a tool or a connection to another owner, by the account name."""

from starlette.responses import Response

from hub import registry
from hub.core.errors import InputError
from hub.identity.directory import find
from hub.identity.permissions import Permission, demand
from hub.registry import ConnectionChange
from hub.storage import Tx
from hub.web.connection import connection_found, connection_page
from hub.web.tool import tool_page, tool_shown
from hub.web.visits import Visit, redirect_telling


async def own_tool(visit: Visit) -> Response:
    """Give a tool to another owner."""
    demand(visit.person, Permission.SEE_CATALOG)
    tool = await tool_shown(visit)
    try:
        async with visit.runtime.database.transaction() as tx:
            owner_id = await _named(tx, visit.form.one("owner"))
            await registry.set_tool_owner(tx, tool.tool.id, owner_id, visit.own_authority)
    except InputError as error:
        return await tool_page(visit, problem=error.message)
    return redirect_telling(visit, visit.request.url.path.removesuffix("/owner"), "The tool has another owner.")


async def own_connection(visit: Visit) -> Response:
    """Give a connection to another owner; that makes a new generation of it, as every change does."""
    connection, _ = await connection_found(visit)
    try:
        async with visit.runtime.database.transaction() as tx:
            change = ConnectionChange(owner_id=await _named(tx, visit.form.one("owner")))
            await registry.change_connection(tx, connection.id, change, visit.own_authority)
    except InputError as error:
        return await connection_page(visit, problem=error.message)
    return redirect_telling(visit, f"/connections/{connection.id}", "The connection has another owner.")


async def _named(tx: Tx, typed: str) -> str:
    person = await find(tx, typed.strip())
    if person is None or person.is_suspended:
        raise InputError("Write the account name of a person who may act. Nothing was changed.")
    return person.id
