"""The catalog: every tool that can be called, by server and by words."""

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from hub.identity.permissions import Permission, may
from hub.registry import EVERYTHING, PublishedTool, Server
from hub.registry.visibility import server_name
from hub.web.inert import inert_name
from hub.web.views.catalog import CatalogPage, Choice, ToolCard
from hub.web.visits import Shown, Visit, redirect, show, viewer_of
from hub.web.wording import TIERS, effect_word

_PAGE: Final = 30


async def show_catalog(visit: Visit) -> Response:
    """Show tools: all of a server's in the order of their names, or those that fit the words best."""
    if not may(visit.person, Permission.SEE_CATALOG):
        return redirect(viewer_of(visit).first.url)  # where everybody comes in: to something of their own
    asked = visit.request.query_params
    catalog, caller = visit.runtime.catalog, visit.session.caller
    query = asked.get("q", "").strip()[:200]
    server = server_name(asked.get("server") or EVERYTHING, catalog.default)
    more_url = ""
    if query:
        tools = await catalog.search(query, caller=caller, server=server, limit=_PAGE)
    else:
        found = await catalog.page(server=server, caller=caller, after=asked.get("after"), limit=_PAGE + 1)
        tools = found[:_PAGE]
        more_url = _more(server, tools[-1].name) if len(found) > _PAGE else ""
    page = CatalogPage(
        query=query,
        servers=_choices(await catalog.servers(caller=caller), server),
        tools=tuple(_card(tool, server) for tool in tools),
        more_url=more_url,
    )
    return show(visit, Shown(template="catalog.html", title="Tools", page=page, here="tools"))


def tool_url(server: str, name: str) -> str:
    """Return the address of a tool's page."""
    return f"/servers/{server}/tools/{name}"


def _card(tool: PublishedTool, server: str) -> ToolCard:
    return ToolCard(
        url=tool_url(server, tool.name),
        name=tool.name,
        title=inert_name(tool.title),
        description=inert_name(tool.description.partition("\n")[0]),
        tier=TIERS[tool.tier],
        effect=effect_word(tool.operation),
        connector=tool.connector.title,
        connection=tool.connection.name,
        environment=tool.environment.value,
    )


def _choices(servers: list[Server], chosen: str) -> tuple[Choice, ...]:
    return tuple(
        Choice(
            value=server.name,
            label=f"{server.title} ({server.environment})",
            is_chosen=server.name == chosen,
        )
        for server in servers
    )


def _more(server: str, after: str) -> str:
    return f"/?{urlencode({'server': server, 'after': after})}"
