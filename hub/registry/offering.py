"""What servers offer: entries of a published name, a tool and a connection; names that clash are refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from hub.core.errors import Conflict, InputError
from hub.registry.names import built_in, check_tool_name
from hub.registry.tables import ConnectionRow, EntryRow, ServerRow, ToolRow
from hub.registry.values import Environment
from hub.storage import Tx, add_in_slices, now

_LONGEST: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """A tool that is not offered over a connection, and why: until it is put on a server under another name."""

    tool: ToolRow
    connection_id: str
    why: str


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
    await _offer(tx, connection, tools.all(), unfit=None)


async def offer_tools(tx: Tx, connector: str, tools: Sequence[ToolRow], *, unfit: list[Unfit] | None) -> None:
    """Offer new tools in the built-in servers, once for each connection of their connector.

    What cannot be offered goes to `unfit`, if there is such a list: for tools whose names nobody here has chosen.

    Raises:
        Conflict: a name is taken there.
        InputError: a connection's prefix makes a name too long.
    """
    query = select(ConnectionRow).where(ConnectionRow.connector == connector).order_by(ConnectionRow.name)
    for connection in await tx.scalars(query):
        await _offer(tx, connection, tools, unfit)


async def add_entry(tx: Tx, entry: EntryRow) -> None:
    """Put `entry` on its server.

    Raises:
        InputError: the name will not do.
        Conflict: the name is taken on this server, or the server offers this tool of this connection already.
    """
    check_tool_name(entry.name)
    _refuse_taken(entry.server, entry.name, await _taken(tx, entry.server))
    same = (EntryRow.tool_id == entry.tool_id, EntryRow.connection_id == entry.connection_id)
    known = await tx.scalar(select(EntryRow.name).where(EntryRow.server == entry.server, *same))
    if known is not None:
        raise Conflict(f"{entry.server!r} offers this tool already, as {known!r}; withdraw that entry first.")
    tx.add(entry)
    await tx.flush()


async def _offer(tx: Tx, connection: ConnectionRow, tools: Sequence[ToolRow], unfit: list[Unfit] | None) -> None:
    server = await open_built_in(tx, Environment(connection.environment))
    taken = await _taken(tx, server)

    def entries() -> Iterator[EntryRow]:
        for tool in tools:
            name = connection.prefix + tool.name
            try:
                _check_name(server, name, taken)
            except (InputError, Conflict) as error:
                if unfit is None:
                    raise
                unfit.append(Unfit(tool=tool, connection_id=connection.id, why=error.message))
                continue
            yield EntryRow(server=server, name=name, tool_id=tool.id, connection_id=connection.id)

    await add_in_slices(tx, entries())


def _check_name(server: str, name: str, taken: dict[str, str]) -> None:
    if len(name) > _LONGEST:
        raise InputError(f"{name!r} is longer than {_LONGEST} characters; give the connection a shorter prefix.")
    check_tool_name(name)
    _refuse_taken(server, name, taken)


async def _taken(tx: Tx, server: str) -> dict[str, str]:
    """Return the names that `server` offers, each with the name of its connection."""
    query = (
        select(EntryRow.name, ConnectionRow.name)
        .join(ConnectionRow, ConnectionRow.id == EntryRow.connection_id)
        .where(EntryRow.server == server)
    )
    return {name: connection for name, connection in await tx.execute(query)}  # noqa: C416  # rows are no pairs to dict()


def _refuse_taken(server: str, name: str, taken: dict[str, str]) -> None:
    if name in taken:
        raise Conflict(
            f"{server!r} offers {name!r} already, for the connection {taken[name]!r}. Publish this one under another "
            "name, or give its connection a prefix, such as 'erp2_' (--prefix when it is connected)."
        )
