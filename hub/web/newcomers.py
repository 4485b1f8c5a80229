"""Newcomers: the screen on which an administrator reviews the agents that came by themselves, and accepts some."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from hub.core.errors import NotFound
from hub.identity.arrivals import Arrival, accept, arrivals
from hub.identity.newcomers import USUAL_UNUSED_DAYS
from hub.identity.permissions import Permission, demand
from hub.storage import now
from hub.web.inert import inert_name
from hub.web.moments import at
from hub.web.people_views import state_of
from hub.web.views.people import NewcomerLine, NewcomersPage
from hub.web.visits import Shown, Visit, redirect_telling, show

_PAGE: Final = 50


async def show_newcomers(visit: Visit) -> Response:
    """Show the agents that came by themselves, the latest first."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    return await _shown(visit)


async def accept_newcomer(visit: Visit) -> Response:
    """Let one of them be an agent like any other."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    try:
        async with visit.runtime.database.transaction() as tx:
            agent = await accept(tx, visit.request.path_params["principal_id"], visit.own_authority)
    except NotFound as error:
        return await _shown(visit, problem=error.message)
    return redirect_telling(visit, "/people/newcomers", f"{agent.name} is accepted. Its limits are as they were.")


async def _shown(visit: Visit, *, problem: str = "") -> Response:
    documents = visit.runtime.documents
    terms = documents.newcomers if documents is not None else None
    kept = timedelta(days=terms.unused_days if terms is not None else USUAL_UNUSED_DAYS)
    async with visit.runtime.database.reading() as tx:
        found = await arrivals(tx, before=visit.request.query_params.get("before"), limit=_PAGE + 1)
        moment = await now(tx)
    more = f"/people/newcomers?before={found[_PAGE - 1].agent.id}" if len(found) > _PAGE else ""
    view = NewcomersPage(
        lines=tuple(_line(one, kept, moment) for one in found[:_PAGE]),
        are_admitted=terms is not None,
        more_url=more,
        problem=problem,
    )
    shown = Shown(
        template="newcomers.html", title="Newcomers", page=view, here="people", status=404 if problem else 200
    )
    return show(visit, shown)


def _line(one: Arrival, kept: timedelta, moment: datetime) -> NewcomerLine:
    return NewcomerLine(
        id=one.agent.id,
        url=f"/people/{one.agent.id}",
        name=one.agent.name,
        display_name=inert_name(one.agent.display_name),
        document=one.document or "",
        came=at(one.came_at, now=moment),
        used=at(one.used_at, now=moment) if one.used_at else None,
        goes=at(one.came_at + kept, now=moment),
        returns_to=tuple(_host(uri) for uri in one.redirect_uris),
        scopes=tuple(sorted(one.agent.allowed_scopes)),
        state=state_of(one.agent),
    )


def _host(uri: str) -> str:
    return urlsplit(uri).netloc or uri
