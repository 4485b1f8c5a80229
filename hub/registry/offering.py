"""What servers offer: entries of a published name, a tool and a connection; names that clash are refused."""

from collections.abc import Sequence

from sqlalchemy import select

from connectors.sdk.spec import TOOL_NAME
from hub.core.errors import Conflict, InputError
from hub.registry.names import built_in, check_tool_name
from hub.registry.tables import ConnectionRow, EntryRow, ServerRow, ToolRow
from hub.registry.values import Environment
from hub.storage import Tx, now

_LONGEST = 48


async def open_built_in(tx: Tx, environment: Environment) -> str:
    """Return the name of the built-in server of `environment`, making it where it is missing."""
    name = built_in(environment)
    if await tx.get(ServerRow, name) is None:
        title = f"Everything in {environment}"
        tx.add(ServerRow(name=name, environment=environment.value, title=title, created_at=await now(tx)))
        await tx.flush()
    return name


async def offer_connection(tx: Tx, connection: ConnectionRow) -> None:
    """Offer every tool of the connection's connector in the built-in server of its environment.

    Raises:
        Conflict: a name is taken there.
        InputError: the connection's prefix makes a name too long.
    """
    tools = await tx.scalars(select(ToolRow).where(ToolRow.connector == connection.connector).order_by(ToolRow.name))
    server = await open_built_in(tx, Environment(connection.environment))
    await _offer(tx, server, [(tool, connection) for tool in tools])


async def offer_everywhere(tx: Tx, tool: ToolRow) -> None:
    """Offer a new tool in the built-in servers, once for each connection of its connector.

    Raises:
        Conflict: a name is taken there.
        InputError: a connection's prefix makes a name too long.
    """
    query = select(ConnectionRow).where(ConnectionRow.connector == tool.connector).order_by(ConnectionRow.name)
    for connection in await tx.scalars(query):
        server = await open_built_in(tx, Environment(connection.environment))
        await _offer(tx, server, [(tool, connection)])


async def add_entry(tx: Tx, entry: EntryRow) -> None:
    """Put `entry` on its server.

    Raises:
        InputError: the name will not do.
        Conflict: the name is taken on this server, or the server offers this tool of this connection already.
    """
    check_tool_name(entry.name)
    holder = await tx.scalar(
        select(ConnectionRow.name)
        .join(EntryRow, EntryRow.connection_id == ConnectionRow.id)
        .where(EntryRow.server == entry.server, EntryRow.name == entry.name)
    )
    if holder is not None:
        raise Conflict(
            f"{entry.server!r} offers {entry.name!r} already, for the connection {holder!r}. Publish this one under "
            "another name, or give its connection a prefix, such as 'erp2_'."
        )
    same = (EntryRow.tool_id == entry.tool_id, EntryRow.connection_id == entry.connection_id)
    known = await tx.scalar(select(EntryRow.name).where(EntryRow.server == entry.server, *same))
    if known is not None:
        raise Conflict(f"{entry.server!r} offers this tool already, as {known!r}; withdraw that entry first.")
    tx.add(entry)
    await tx.flush()


async def _offer(tx: Tx, server: str, offers: Sequence[tuple[ToolRow, ConnectionRow]]) -> None:
    for tool, connection in offers:
        name = connection.prefix + tool.name
        if len(name) > _LONGEST:
            raise InputError(f"{name!r} is longer than {_LONGEST} characters ({TOOL_NAME}); take a shorter prefix.")
        entry = EntryRow(server=server, name=name, tool_id=tool.id, connection_id=connection.id)
        await add_entry(tx, entry)
