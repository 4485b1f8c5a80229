"""Servers and connections, to look at: where agents connect, and the accounts behind the tools."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from hub import budgets
from hub.budgets import Outage
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal
from hub.identity.resources import resource_of
from hub.invocations.runtime import Runtime
from hub.registry import EVERYTHING, Connection, Server, reading
from hub.registry.visibility import server_name
from hub.web.inert import inert_name
from hub.web.views.catalog import ConnectionLine, ServerLine, ServersPage
from hub.web.visits import Shown, Visit, show
from hub.web.wording import Word

ENABLED: Final = Word(label="enabled", meaning="Calls may use it.", tone="good")
DISABLED: Final = Word(label="disabled", meaning="No call may use it.", tone="bad")
UNAVAILABLE: Final = Word(label="unavailable", meaning="Its system does not answer, so no call is made.", tone="bad")
FAILING: Final = Word(label="failing", meaning="The last calls did not reach its system.", tone="warn")


async def show_servers(visit: Visit) -> Response:
    """Show every server; those who run the hub, and owners of their own, also see connections."""
    demand(visit.person, Permission.SEE_CATALOG)
    servers = await visit.runtime.catalog.servers(caller=visit.session.caller)
    async with visit.runtime.database.reading() as tx:
        connections = [each for each in await reading.connections(tx) if may_see(visit.person, each)]
        ids = [*(each.owner_id for each in servers), *(each.owner_id for each in connections)]
        owners = await get_many(tx, [one for one in ids if one is not None])
        outages = {one.connection_id: one for one in await budgets.outages_now(tx)}
    page = ServersPage(
        servers=tuple(_server(server, owners, visit.runtime) for server in servers),
        connections=tuple(connection_line(one, owners, outages.get(one.id)) for one in connections),
        shows_connections=bool(connections) or runs_the_hub(visit.person),
        may_connect=may(visit.person, Permission.MANAGE_REGISTRY),
    )
    return show(visit, Shown(template="servers.html", title="Servers", page=page, here="servers"))


def runs_the_hub(person: Principal) -> bool:
    """Return whether somebody may see every connection."""
    return may(person, Permission.MANAGE_REGISTRY) or may(person, Permission.STOP_THINGS)


def may_see(person: Principal, connection: Connection) -> bool:
    """Return whether somebody may see this connection."""
    return runs_the_hub(person) or connection.owner_id == person.id


def _server(server: Server, owners: Mapping[str, Principal], runtime: Runtime) -> ServerLine:
    is_default = server.name == server_name(EVERYTHING, runtime.catalog.default)
    return ServerLine(
        name=server.name,
        title=inert_name(server.title),
        environment=server.environment.value,
        address=resource_of(EVERYTHING if is_default else server.name, runtime.public_url),
        owner=owner_name(server.owner_id, owners),
        catalog_url=f"/?server={server.name}",
    )


def connection_line(
    connection: Connection, owners: Mapping[str, Principal], outage: Outage | None = None
) -> ConnectionLine:
    """Return a connection as a line of the list."""
    return ConnectionLine(
        url=f"/connections/{connection.id}",
        name=connection.name,
        connector=connection.connector,
        environment=connection.environment.value,
        base_url=inert_name(connection.base_url),
        generation=connection.generation,
        owner=owner_name(connection.owner_id, owners),
        state=connection_state(connection, outage),
    )


def connection_state(connection: Connection, outage: Outage | None) -> Word:
    """Return whether a connection is used, and whether its system answers."""
    if not connection.is_enabled:
        return DISABLED
    if outage is None:
        return ENABLED
    return FAILING if outage.unavailable_since is None else UNAVAILABLE


def owner_name(owner_id: str | None, owners: Mapping[str, Principal]) -> str:
    """Return who looks after a server or a connection."""
    if owner_id is None:
        return "the hub"
    return owners[owner_id].display_name if owner_id in owners else "nobody any more"
