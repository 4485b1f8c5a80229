"""Servers: named bundles of tools in one environment, and what is published on them."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from hub.audit import EventKind
from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.resources import API, EVERYTHING
from hub.registry.looking_after import refuse_alone, refuse_built_in, require_server_steward
from hub.registry.names import check_place
from hub.registry.offering import add_entry
from hub.registry.reading import connection_row, server_of, server_row, servers, tool_row
from hub.registry.stewardship import Stewards, Touched, checked_owner, outdate_catalog, require_steward
from hub.registry.tables import ConnectorRow, EntryRow, ServerRow
from hub.registry.values import CLIENTS_WITH_TASKS, Environment, Server
from hub.storage import Tx, now


@dataclass(frozen=True, slots=True, kw_only=True)
class NewServer:
    """A server to make, at `/servers/{name}/mcp`."""

    name: str
    environment: Environment
    title: str
    owner_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A tool to publish on `server` as `as_name` (its own name when empty), carried out against a connection."""

    server: str
    tool_id: str
    connection_id: str
    as_name: str = ""
    needs_tasks: bool = False
    """Whether it is for clients alone that know tasks."""


async def create_server(tx: Tx, new: NewServer, authority: Authority) -> Server:
    """Make an empty server.

    Raises:
        InputError: the name or the owner will not do.
        Conflict: the name is taken.
        Forbidden: it is no administrator, or it takes two people there.
    """
    await outdate_catalog(tx, authority, Touched(servers=frozenset({new.name})))
    await require_steward(tx, authority, Stewards(owner_id=None, what="which servers there are"))
    check_place(new.name, what="a server")
    refuse_alone(new.environment)
    if await tx.get(ServerRow, new.name) is not None:
        raise Conflict(f"There is a server {new.name!r} already; choose another name.")
    row = ServerRow(
        name=new.name,
        environment=new.environment.value,
        title=new.title,
        owner_id=await checked_owner(tx, new.owner_id) or authority.by,
        created_at=await now(tx),
    )
    tx.add(row)
    await tx.flush()
    await authority.record(tx, EventKind.SERVER_CHANGED, row.name, changed="created", environment=row.environment)
    return server_of(row)


async def check_servers(tx: Tx, names: Collection[str]) -> None:
    """Let names pass that agents can be allowed.

    Raises:
        InputError: there is no such server.
    """
    known = await allowable_servers(tx)
    unknown = sorted(set(names) - set(known))
    if unknown:
        missing = ", ".join(repr(name[:64]) for name in unknown)
        raise InputError(f"There is no server {missing}. There are: {', '.join(known)}.")


async def allowable_servers(tx: Tx) -> dict[str, str]:
    """Return what agents can be allowed, by name with what it is: the servers, `everything`, and the API."""
    found = {server.name: server.title for server in await servers(tx) if not server.is_retired}
    return {EVERYTHING: "All tools, at /mcp", API: "The API, at /api/v1", **found}


async def connector_scopes(tx: Tx) -> list[str]:
    """Return the scopes of whole connectors that there are now; those of single tools are `tool:` and a name."""
    names = await tx.scalars(select(ConnectorRow.name).order_by(ConnectorRow.name))
    return [f"{name}:{access}" for name in names for access in ("read", "write")]


async def publish(tx: Tx, offer: Offer, authority: Authority) -> str:
    """Publish a tool on a server and return the name it has there.

    Raises:
        InputError: the name will not do, or tool, connection and server do not fit together.
        NotFound: there is no such server, tool or connection.
        Conflict: the name is taken, or the tool is there already.
        Forbidden: it is neither the server's owner nor an administrator, or it takes two people there.
    """
    server = await _owned(tx, offer.server, authority)
    refuse_alone(Environment(server.environment))
    tool, connection = await tool_row(tx, offer.tool_id), await connection_row(tx, offer.connection_id)
    if tool.connector != connection.connector:
        raise InputError(f"{connection.name!r} is an account of {connection.connector!r}, not of {tool.connector!r}.")
    if connection.environment != server.environment:
        raise InputError(
            f"{connection.name!r} leads to {connection.environment}, and {server.name!r} is a server of "
            f"{server.environment}; choose a connection of that environment."
        )
    name = offer.as_name or tool.name
    pair = {"tool_id": tool.id, "connection_id": connection.id}
    await add_entry(tx, EntryRow(server=server.name, name=name, **pair, needs_tasks=offer.needs_tasks))
    facts = {"changed": "published", "tool": tool.id, "name": name, "connection": connection.id}
    if offer.needs_tasks:
        facts["clients"] = CLIENTS_WITH_TASKS
    await authority.record(tx, EventKind.SERVER_CHANGED, server.name, **facts)
    return name


async def unpublish(tx: Tx, server: str, name: str, authority: Authority) -> None:
    """Take a tool off a server.

    Raises:
        InputError: it is a built-in server.
        NotFound: the server or the name does not exist.
        Forbidden: it is neither the server's owner nor an administrator.
    """
    row = await _owned(tx, server, authority)
    entry = await tx.get(EntryRow, (row.name, name))
    if entry is None:
        raise NotFound(f"{server!r} offers no tool {name!r}.")
    await tx.delete(entry)
    await tx.flush()
    facts = {"changed": "unpublished", "tool": entry.tool_id, "name": name}
    await authority.record(tx, EventKind.SERVER_CHANGED, server, **facts)


async def _owned(tx: Tx, name: str, authority: Authority) -> ServerRow:
    await outdate_catalog(tx, authority, Touched(servers=frozenset({name})))
    row = await server_row(tx, name)
    await require_server_steward(tx, row, authority)
    refuse_built_in(name)
    return row
