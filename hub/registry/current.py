"""What the database itself says now of one tool, past every cache: for what must not be wrong, a commit."""

from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.core.errors import NotFound, Quarantined, Unavailable
from hub.registry.badges import badge_for
from hub.registry.composites import PREFIX, BoundStep, steps_of
from hub.registry.entries import Entry, callable_tool
from hub.registry.publishing import Parts, published
from hub.registry.reading import connection_of, connection_row, server_of, server_row, tool_of, tool_row, version_of
from hub.registry.stored import release_spec
from hub.registry.tables import (
    ConnectionRow,
    EntryRow,
    ReleaseInUseRow,
    ToolRow,
    ToolVersionRow,
    VersionInUseRow,
)
from hub.registry.using import used_in
from hub.registry.values import Connection, PublishedTool, ToolVersion
from hub.registry.visibility import Sight
from hub.storage import Tx


async def read_current(tx: Tx, tool_version_id: str, connection_id: str, *, server: str, name: str) -> PublishedTool:
    """Return the very version and connection that a call was made with, whatever has become of them since.

    Tier and standing are as the database has them now. It is for finding out what a commit came to; what may be sent
    is asked of `Catalog.current`. `server` is the full name of where it was called as `name`.

    Raises:
        NotFound: there never were such a version, connection and server.
    """
    row = await _version_row(tx, tool_version_id)
    tool = await tool_row(tx, row.tool_id)
    connector = await release_spec(tx, row.release_id)
    parts = Parts(
        name=name,
        server=server_of(await server_row(tx, server)),
        tool=tool_of(tool),
        version=version_of(row, (await used_in(tx, [row.id])).get(row.id, ())),
        connector=connector,
        connection=connection_of(await connection_row(tx, connection_id)),
        badge=await badge_for(tx, connector),
    )
    return published(parts)


async def why_closed(tx: Tx, tool_version_id: str, connection_id: str, *, generation: int) -> str:
    """Return in a sentence why nothing may leave for a tool any more over a connection; empty while it may.

    It looks only at what closes a tool or a connection that was open a moment ago, at one row of each.
    """
    columns = (ToolVersionRow.withdrawn, ToolRow.name, ToolRow.quarantined)
    version = select(*columns).join(ToolRow, ToolRow.id == ToolVersionRow.tool_id)
    withdrawn, name, quarantined = (await tx.execute(version.where(ToolVersionRow.id == tool_version_id))).one()
    over = select(ConnectionRow.disabled_at, ConnectionRow.generation, ConnectionRow.held)
    disabled_at, current, held = (await tx.execute(over.where(ConnectionRow.id == connection_id))).one()
    if why := quarantined or held.get(name):
        return f"The tool is held back until its owner has looked: {why}"
    if withdrawn is not None:
        return f"This version of the tool was withdrawn: {withdrawn}"
    if disabled_at is not None:
        return "Its connection is disabled."
    return "" if current == generation else "The connection has been changed or signed in anew."


async def why_replaced(tx: Tx, tool_version_id: str, connection_id: str, *, generation: int) -> str:
    """Return in a clause what has taken the place of what a call was asked about; empty while nothing has.

    That is another version in use where its connection leads, of its tool or of a step's, or none at all any more; or
    another generation of the connection.
    """
    row, connection = await _version_row(tx, tool_version_id), await connection_row(tx, connection_id)
    environment = connection.environment
    used = await tx.get(VersionInUseRow, (row.tool_id, environment), populate_existing=True)
    if used is None:
        return f"the tool is not offered in {environment} any more"
    if used.version_id != row.id:
        return "the tool has a new version"
    if connection.generation != generation:
        return "the connection has been changed or signed in anew"
    if not connection.connector.startswith(PREFIX):
        return ""
    for step in steps_of(OperationSpec.model_validate_json(row.spec)):
        if not await _is_used(tx, step, environment):
            return f"the tool {step.tool!r} of its step {step.name!r} has changed"
    return ""


async def _is_used(tx: Tx, step: BoundStep, environment: str) -> bool:
    used = (
        select(VersionInUseRow.version_id)
        .join(ToolRow, ToolRow.id == VersionInUseRow.tool_id)
        .join(ToolVersionRow, ToolVersionRow.id == VersionInUseRow.version_id)
        .where(
            VersionInUseRow.environment == environment,
            ToolRow.connector == step.connector,
            ToolRow.name == step.tool,
            ToolVersionRow.digest == step.tool_version_digest,
        )
    )
    return await tx.scalar(used) is not None


async def read_operation(tx: Tx, tool_version_id: str) -> OperationSpec:
    """Return what one version of a tool declares.

    Raises:
        NotFound: there never was such a version.
    """
    return OperationSpec.model_validate_json((await _version_row(tx, tool_version_id)).spec)


async def read_entry(tx: Tx, name: str, *, server: str, sight: Sight) -> PublishedTool:
    """Return the tool that `server` (its full name) publishes as `name`, as the database has it now.

    Raises:
        NotFound: whoever sees so far may not call it; the message says why where it may know.
    """
    row = await tx.get(EntryRow, (server, name), populate_existing=True)
    entry = None if row is None else await _entry(tx, row)
    try:
        return callable_tool(entry, name, sight)
    except (Quarantined, Unavailable) as error:
        raise NotFound(error.message) from error


async def _entry(tx: Tx, row: EntryRow) -> Entry:
    tool = await tool_row(tx, row.tool_id)
    connection = connection_of(await connection_row(tx, row.connection_id))
    version, connector = await _offered_version(tx, tool.id, connection)
    pair = (EntryRow.tool_id == row.tool_id, EntryRow.connection_id == row.connection_id)
    return Entry(
        name=row.name,
        server=server_of(await server_row(tx, row.server)),
        tool=tool_of(tool),
        version=version,
        connector=connector,
        connection=connection,
        also_on=frozenset(await tx.scalars(select(EntryRow.server).where(*pair))),
        badge=await badge_for(tx, connector) if connector else None,
        needs_tasks=row.needs_tasks,
    )


async def _offered_version(
    tx: Tx, tool_id: str, connection: Connection
) -> tuple[ToolVersion | None, ConnectorSpec | None]:
    """Return the version of the tool that is in use where the connection leads, in the release that is."""
    place = connection.environment.value
    used = await tx.get(VersionInUseRow, (tool_id, place), populate_existing=True)
    release = await tx.get(ReleaseInUseRow, (connection.connector, place), populate_existing=True)
    if used is None or release is None:
        return None, None
    row = await _version_row(tx, used.version_id)
    return version_of(row, (connection.environment,)), await release_spec(tx, release.release_id)


async def _version_row(tx: Tx, version_id: str) -> ToolVersionRow:
    row = await tx.get(ToolVersionRow, version_id, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no tool version {version_id!r}.")
    return row
