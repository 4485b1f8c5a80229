"""One tool of a server whose name will not do here: the rest of what the server says can be accepted all the same."""

from collections.abc import Mapping

import pytest
from pins.noted import FIND, POST, TEXT, Notes
from sqlalchemy import select

from hub import pins
from hub.audit import EventKind, events_of
from hub.core.errors import NotFound
from hub.identity.resources import EVERYTHING
from hub.registry import Environment, NewConnection, create_connection
from hub.registry.offering import add_entry
from hub.registry.tables import EntryRow, ToolRow

pytestmark = pytest.mark.anyio

LONG = "a" * 46
CHANGED: Mapping[str, object] = {**FIND, "description": "Finds any note."}


async def accepted(notes: Notes) -> None:
    change = (await notes.look()).change
    assert change is not None
    async with notes.hub.database.transaction() as tx:
        await pins.accept(tx, change.id, change.digest, notes.authority("owner"))


async def not_offered(notes: Notes, name: str) -> tuple[ToolRow, list[object]]:
    """Return a tool of the server, and why it is not offered, as it stands on record."""
    async with notes.hub.database.reading() as tx:
        (tool,) = await tx.scalars(select(ToolRow).where(ToolRow.name == name, ToolRow.connector == "notes"))
        told = [one for one in await events_of(tx, tool.id) if one.kind is EventKind.TOOL_CHANGED]
        return tool, [(one.facts["changed"], one.facts["connection"]) for one in told]


async def test_a_name_that_another_connection_offers_keeps_no_other_tool_out(notes: Notes) -> None:
    async with notes.hub.database.reading() as tx:
        others = select(EntryRow).where(EntryRow.connection_id != notes.connection_id).order_by(EntryRow.name)
        theirs = (await tx.scalars(others)).first()
    assert theirs is not None
    notes.says(dict(CHANGED), POST, {"name": theirs.name, "inputSchema": TEXT})

    await accepted(notes)

    tool, told = await not_offered(notes, theirs.name)
    assert told == [("not offered", notes.connection_id)]
    assert await notes.description() == "Finds any note."
    async with notes.hub.database.transaction() as tx:
        (entry,) = await tx.scalars(select(EntryRow).where(EntryRow.name == theirs.name))
        assert entry.tool_id == theirs.tool_id, "nobody's name goes to somebody else"
        own = EntryRow(server=theirs.server, name="own_name", tool_id=tool.id, connection_id=notes.connection_id)
        await add_entry(tx, own)


async def test_a_name_that_a_prefix_makes_too_long_is_left_out_there_alone(notes: Notes) -> None:
    async with notes.hub.database.transaction() as tx:
        new = NewConnection(
            name="other",
            connector="notes",
            environment=Environment.DEV,
            base_url="http://127.0.0.1:9/mcp",
            prefix="other_",
        )
        other = await create_connection(tx, new, notes.hub.authority)
    notes.says(dict(CHANGED), POST, {"name": LONG, "inputSchema": TEXT})

    await accepted(notes)

    assert (await not_offered(notes, LONG))[1] == [("not offered", other.id)]
    assert (await notes.hub.runtime.catalog.resolve(LONG, server=EVERYTHING, caller=notes.caller)).name == LONG
    with pytest.raises(NotFound):
        await notes.hub.runtime.catalog.resolve(f"other_{LONG}", server=EVERYTHING, caller=notes.caller)
