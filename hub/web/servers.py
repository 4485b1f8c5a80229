"""The list of servers, what waits for a second person, and the connections behind the tools."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from hub import budgets, pins
from hub.budgets import Outage
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal
from hub.pins import Change
from hub.registry import EVERYTHING, Connection, Environment, reading
from hub.registry.visibility import server_name
from hub.web.inert import inert_name
from hub.web.server import make_server, proposal_cards
from hub.web.server_views import owner_name, server_line
from hub.web.views.catalog import ConnectionLine, ServersPage
from hub.web.visits import Shown, Visit, show
from hub.web.wording import Word

ENABLED: Final = Word(label="enabled", meaning="Calls may use it.", tone="good")
DISABLED: Final = Word(label="disabled", meaning="No call may use it.", tone="bad")
UNAVAILABLE: Final = Word(label="unavailable", meaning="Its system does not answer, so no call is made.", tone="bad")
FAILING: Final = Word(label="failing", meaning="The last calls did not reach its system.", tone="warn")


async def show_servers(visit: Visit) -> Response:
    """Show every server; those who run the hub, and owners of their own, also see connections."""
    demand(visit.person, Permission.SEE_CATALOG)
    return await _page(visit)


async def add_server(visit: Visit) -> Response:
    """Make an empty server, or propose it where that takes two."""
    return await make_server(visit, lambda problem: _page(visit, problem=problem))


async def _page(visit: Visit, *, problem: str = "") -> Response:
    servers = await visit.runtime.catalog.servers(caller=visit.session.caller)
    default = server_name(EVERYTHING, visit.runtime.catalog.default)
    async with visit.runtime.database.reading() as tx:
        connections = [each for each in await reading.connections(tx) if may_see(visit.person, each)]
        ids = [*(each.owner_id for each in servers), *(each.owner_id for each in connections)]
        owners = await get_many(tx, [one for one in ids if one is not None])
        outages = {one.connection_id: one for one in await budgets.outages_now(tx)}
        changed = await pins.waiting_now(tx)
        proposals = await proposal_cards(tx, visit)
    may_make = may(visit.person, Permission.MANAGE_REGISTRY)
    url = visit.runtime.public_url
    page = ServersPage(
        servers=tuple(server_line(server, owners, default=default, public_url=url) for server in servers),
        connections=tuple(
            connection_line(one, owners, outages.get(one.id), changed.get(one.id)) for one in connections
        ),
        shows_connections=bool(connections) or runs_the_hub(visit.person),
        may_connect=may_make,
        proposals=proposals,
        environments=tuple(one.value for one in Environment) if may_make else (),
        problem=problem,
    )
    status = 400 if problem else 200
    return show(visit, Shown(template="servers.html", title="Servers", page=page, here="servers", status=status))


def runs_the_hub(person: Principal) -> bool:
    """Return whether somebody may see every connection."""
    return may(person, Permission.MANAGE_REGISTRY) or may(person, Permission.STOP_THINGS)


def may_see(person: Principal, connection: Connection) -> bool:
    """Return whether somebody may see this connection."""
    return runs_the_hub(person) or connection.owner_id == person.id


def connection_line(
    connection: Connection, owners: Mapping[str, Principal], outage: Outage | None = None, change: Change | None = None
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
        change_url="" if change is None else f"/pins/{change.id}",
    )


def connection_state(connection: Connection, outage: Outage | None) -> Word:
    """Return whether a connection is used, and whether its system answers."""
    if not connection.is_enabled:
        return DISABLED
    if outage is None:
        return ENABLED
    return FAILING if outage.unavailable_since is None else UNAVAILABLE
