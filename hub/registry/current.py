"""What the database itself says now of one tool, past every cache: for what must not be wrong, a commit."""

from sqlalchemy import select

from connectors.sdk.spec import ConnectorSpec
from hub.core.errors import Conflict, NotFound
from hub.registry.entries import Entry, callable_tool
from hub.registry.names import built_in
from hub.registry.publishing import Parts, published
from hub.registry.reading import connection_of, connection_row, server_of, server_row, tool_of, tool_row, version_of
from hub.registry.tables import EntryRow, ReleaseRow, ToolRow, ToolVersionRow
from hub.registry.values import PublishedTool, ToolVersion
from hub.registry.visibility import Sight
from hub.storage import Tx


async def read_current(
    tx: Tx, tool_version_id: str, connection_id: str, *, server: str = "", name: str = ""
) -> PublishedTool:
    """Return one version of a tool with its connection, tier and standing as the database has them now.

    `server` and `name` say where it was called; without them it is the tool's own place, the built-in server. It is
    returned whatever its standing; `refuse_unusable` says whether it may still be used.

    Raises:
        NotFound: the version, the connection or the server does not exist.
    """
    version_row = await _version_row(tx, tool_version_id)
    tool = await tool_row(tx, version_row.tool_id)
    connection = connection_of(await connection_row(tx, connection_id))
    parts = Parts(
        name=name or connection.prefix + tool.name,
        server=server_of(await server_row(tx, server or built_in(connection.environment))),
        tool=tool_of(tool),
        version=version_of(version_row, tool),
        connector=await _connector(tx, version_row),
        connection=connection,
    )
    return published(parts)


def refuse_unusable(tool: PublishedTool) -> None:
    """Let a tool read by `read_current` pass if a call of this very version may still be carried out.

    Raises:
        Conflict: it is held back, withdrawn or replaced, or its connection is disabled.
    """
    if tool.tool.quarantined is not None:
        raise Conflict(f"{tool.name!r} is held back until its owner has looked: {tool.tool.quarantined}")
    if tool.version.withdrawn is not None:
        raise Conflict(f"This version of {tool.name!r} has been withdrawn: {tool.version.withdrawn}")
    if not tool.version.is_current:
        raise Conflict(f"{tool.name!r} has changed since: there is another version of it, or none any more.")
    if not tool.connection.is_enabled:
        raise Conflict(f"The connection of {tool.name!r} is disabled.")


async def read_entry(tx: Tx, name: str, *, server: str, sight: Sight) -> PublishedTool:
    """Return the tool that `server` (its full name) publishes as `name`, as the database has it now.

    Raises:
        NotFound: there is none, or the caller may not see it.
        Quarantined: it is held back.
        Unavailable: its connection is disabled.
    """
    row = await tx.get(EntryRow, (server, name), populate_existing=True)
    entry = None if row is None else await _entry(tx, row)
    return callable_tool(entry, name, sight)


async def _entry(tx: Tx, row: EntryRow) -> Entry:
    tool = await tool_row(tx, row.tool_id)
    version, connector = await _offered_version(tx, tool)
    pair = (EntryRow.tool_id == row.tool_id, EntryRow.connection_id == row.connection_id)
    return Entry(
        name=row.name,
        server=server_of(await server_row(tx, row.server)),
        tool=tool_of(tool),
        version=version,
        connector=connector,
        connection=connection_of(await connection_row(tx, row.connection_id)),
        also_on=frozenset(await tx.scalars(select(EntryRow.server).where(*pair))),
    )


async def _offered_version(tx: Tx, tool: ToolRow) -> tuple[ToolVersion | None, ConnectorSpec | None]:
    if tool.current_version_id is None:
        return None, None
    row = await _version_row(tx, tool.current_version_id)
    return version_of(row, tool), await _connector(tx, row)


async def _version_row(tx: Tx, version_id: str) -> ToolVersionRow:
    row = await tx.get(ToolVersionRow, version_id, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no tool version {version_id!r}.")
    return row


async def _connector(tx: Tx, version: ToolVersionRow) -> ConnectorSpec:
    release = await tx.get_one(ReleaseRow, version.release_id)
    return ConnectorSpec.model_validate_json(release.spec)
