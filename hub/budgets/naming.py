"""What limits and switches are about, by name: one that was kept as if it were an id would hold back nothing."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import or_, select

from hub.core.errors import InputError, NotFound
from hub.core.texts import shown
from hub.identity.directory import find, get_many, is_plain
from hub.identity.tables import PrincipalRow
from hub.registry.tables import ConnectionRow, EntryRow, ServerRow, ToolRow
from hub.storage import Tx

_MOST_NAMED: Final = 20


async def caller_named(tx: Tx, typed: str, *, kind: str = "agent") -> str:
    """Return the id of the agent, or of whoever else calls tools, that is typed by id or name.

    Raises:
        NotFound: there is none.
    """
    found = (await get_many(tx, [typed])).get(typed) or await find(tx, typed)
    if found is None:
        raise NotFound(f"There is no {kind} {shown(typed)}: write the name or the id.")
    return found.id


async def tool_named(tx: Tx, typed: str) -> str:
    """Return the id of the tool that is typed by id, by its own or a published name, or as connector/name.

    Raises:
        NotFound: there is none.
        InputError: several are called so.
    """
    if not is_plain(typed):
        raise _no_tool(typed)
    published = select(EntryRow.tool_id).where(EntryRow.name == typed)
    names = [ToolRow.id == typed, ToolRow.name == typed, ToolRow.id.in_(published)]
    connector, slash, name = typed.partition("/")
    if slash:
        names = [(ToolRow.connector == connector) & (ToolRow.name == name)]
    rows = (await tx.scalars(select(ToolRow).where(or_(*names)).order_by(ToolRow.connector, ToolRow.name))).all()
    if not rows:
        raise _no_tool(typed)
    if len(rows) > 1:
        each = ", ".join(f"{row.connector}/{row.name}" for row in rows[:10])
        raise InputError(f"Several tools are called {shown(typed)}; write which: {each}.")
    return rows[0].id


async def connection_named(tx: Tx, typed: str) -> str:
    """Return the id of the connection that is typed by id or name.

    Raises:
        NotFound: there is none.
    """
    by = or_(ConnectionRow.id == typed, ConnectionRow.name == typed)
    found = await tx.scalar(select(ConnectionRow.id).where(by)) if is_plain(typed) else None
    if found is None:
        raise NotFound(f"There is no connection {shown(typed)}: write its name or its id.")
    return found


async def server_named(tx: Tx, typed: str) -> str:
    """Return the name of a server that is there.

    Raises:
        NotFound: there is none; the message names those that are.
    """
    query = select(ServerRow.name).where(ServerRow.retired_at.is_(None)).order_by(ServerRow.name)
    there = (await tx.scalars(query)).all()
    if typed not in there:
        more = f" and {len(there) - _MOST_NAMED} more" if len(there) > _MOST_NAMED else ""
        raise NotFound(f"There is no server {shown(typed)}. There are {', '.join(there[:_MOST_NAMED])}{more}.")
    return typed


async def names_of(tx: Tx, subjects: Collection[str]) -> dict[str, str]:
    """Return under which names pages show those of `subjects` that are ids of somebody or something."""
    agents = select(PrincipalRow.id, PrincipalRow.name).where(PrincipalRow.id.in_(subjects))
    tools = select(ToolRow.id, ToolRow.connector, ToolRow.name).where(ToolRow.id.in_(subjects))
    places = select(ConnectionRow.id, ConnectionRow.name).where(ConnectionRow.id.in_(subjects))
    found = {one.id: f"{one.connector}/{one.name}" for one in await tx.execute(tools)}
    return found | {one.id: one.name for query in (agents, places) for one in await tx.execute(query)}


def _no_tool(typed: str) -> NotFound:
    return NotFound(f"There is no tool {shown(typed)}: write its name, connector/name, or its id.")
