"""Rows of the registry's tables as values."""

from sqlalchemy import select

from connectors.sdk.rules import Rule
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import Tier
from hub.core.errors import NotFound
from hub.core.texts import shown
from hub.registry.stored import release_spec
from hub.registry.tables import ConnectionRow, ConnectorRow, ReleaseRow, ServerRow, ToolRow, ToolVersionRow
from hub.registry.using import used_in
from hub.registry.values import Connection, Environment, Listing, Server, Tool, ToolVersion
from hub.storage import Tx


def tier_of(stored: str | None) -> Tier | None:
    """Return the tier a row tells; a word that this release does not know counts as HIGH."""
    if stored is None:
        return None
    return next((tier for tier in Tier if tier.value == stored), Tier.HIGH)


def highest(*tiers: Tier | None) -> Tier:
    """Return the highest of the tiers that are known, and HIGH when none is."""
    return max((tier for tier in tiers if tier is not None), key=lambda tier: tier.rank, default=Tier.HIGH)


def connection_of(row: ConnectionRow) -> Connection:
    """Return the connection in `row`."""
    return Connection(
        id=row.id,
        name=row.name,
        connector=row.connector,
        environment=Environment(row.environment),
        base_url=row.base_url,
        prefix=row.prefix,
        generation=row.generation,
        owner_id=row.owner_id,
        is_enabled=row.disabled_at is None,
        settings=row.settings,
        held=row.held,
    )


def tool_of(row: ToolRow) -> Tool:
    """Return the tool in `row`."""
    return Tool(
        id=row.id,
        name=row.name,
        connector=row.connector,
        owner_id=row.owner_id,
        owner_tier=tier_of(row.owner_tier),
        raised_tier=tier_of(row.raised_tier),
        quarantined=row.quarantined,
        raised_reason=row.raised_reason,
        rules=tuple(Rule.model_validate(rule) for rule in row.rules),
        is_trusted=row.is_trusted,
    )


def version_of(row: ToolVersionRow, used_in: tuple[Environment, ...], spec: OperationSpec | None = None) -> ToolVersion:
    """Return the version in `row`, which is in use in these environments; its `spec` is read unless it is known."""
    return ToolVersion(
        id=row.id,
        tool_id=row.tool_id,
        number=row.number,
        digest=row.digest,
        spec=spec or OperationSpec.model_validate_json(row.spec),
        connector_digest=row.connector_digest,
        withdrawn=row.withdrawn,
        used_in=used_in,
    )


def server_of(row: ServerRow) -> Server:
    """Return the server in `row`."""
    return Server(
        name=row.name,
        environment=Environment(row.environment),
        title=row.title,
        owner_id=row.owner_id,
        description=row.description,
        instructions=row.instructions,
        listing=Listing(row.listing),
        owner_group=row.owner_group,
        is_retired=row.retired_at is not None,
    )


async def connection_row(tx: Tx, connection_id: str) -> ConnectionRow:
    """Return the row of a connection.

    Raises:
        NotFound: there is none.
    """
    row = await tx.get(ConnectionRow, connection_id, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no connection {connection_id!r}.")
    return row


async def tool_row(tx: Tx, tool_id: str) -> ToolRow:
    """Return the row of a tool.

    Raises:
        NotFound: there is none.
    """
    row = await tx.get(ToolRow, tool_id, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no tool {shown(tool_id)}.")
    return row


async def server_row(tx: Tx, name: str) -> ServerRow:
    """Return the row of a server.

    Raises:
        NotFound: there is none.
    """
    row = await tx.get(ServerRow, name, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no server {shown(name)}.")
    return row


async def connections(tx: Tx) -> list[Connection]:
    """Return every connection, in the order of the names."""
    rows = await tx.scalars(select(ConnectionRow).order_by(ConnectionRow.name))
    return [connection_of(row) for row in rows]


async def get_connection(tx: Tx, connection_id: str) -> Connection:
    """Return one connection.

    Raises:
        NotFound: there is none.
    """
    return connection_of(await connection_row(tx, connection_id))


async def find_connection(tx: Tx, name: str) -> Connection | None:
    """Return the connection called `name`, or None."""
    row = await tx.scalar(select(ConnectionRow).where(ConnectionRow.name == name))
    return None if row is None else connection_of(row)


async def tools(tx: Tx, *, connector: str | None = None) -> list[Tool]:
    """Return every tool, offered or not, in the order of connectors and names."""
    query = select(ToolRow).order_by(ToolRow.connector, ToolRow.name)
    rows = await tx.scalars(query if connector is None else query.where(ToolRow.connector == connector))
    return [tool_of(row) for row in rows]


async def get_tool(tx: Tx, tool_id: str) -> Tool:
    """Return one tool.

    Raises:
        NotFound: there is none.
    """
    return tool_of(await tool_row(tx, tool_id))


async def find_tool(tx: Tx, connector: str, name: str) -> Tool | None:
    """Return the tool `name` of `connector`, or None."""
    row = await tx.scalar(select(ToolRow).where(ToolRow.connector == connector, ToolRow.name == name))
    return None if row is None else tool_of(row)


async def versions(tx: Tx, tool_id: str) -> list[ToolVersion]:
    """Return every version of a tool, the newest first.

    Raises:
        NotFound: there is no such tool.
    """
    await tool_row(tx, tool_id)
    query = select(ToolVersionRow).where(ToolVersionRow.tool_id == tool_id).order_by(ToolVersionRow.number.desc())
    rows = (await tx.scalars(query)).all()
    used = await used_in(tx, [row.id for row in rows])
    return [version_of(row, used.get(row.id, ())) for row in rows]


async def servers(tx: Tx) -> list[Server]:
    """Return every server, the built-in ones included, in the order of the names."""
    return [server_of(row) for row in await tx.scalars(select(ServerRow).order_by(ServerRow.name))]


async def connectors(tx: Tx) -> list[ConnectorSpec]:
    """Return the newest release of every connector, in the order of the names."""
    query = (
        select(ReleaseRow.id).join(ConnectorRow, ConnectorRow.release_id == ReleaseRow.id).order_by(ConnectorRow.name)
    )
    return [await release_spec(tx, release_id) for release_id in (await tx.scalars(query)).all()]


async def connector_owner(tx: Tx, name: str) -> str | None:
    """Return who owns a connector, None for nobody.

    Raises:
        NotFound: there is no such connector.
    """
    row = await tx.get(ConnectorRow, name, populate_existing=True)
    if row is None:
        raise NotFound(f"There is no connector {shown(name)}; publish it first.")
    return row.owner_id


async def tool_id_of(tx: Tx, connector: str, name: str) -> str | None:
    """Return the id of a connector's tool by its own name, or None: there is none."""
    return await tx.scalar(select(ToolRow.id).where(ToolRow.connector == connector, ToolRow.name == name))
