"""Agents that act for me, or are mine: what each may do in my name, to be taken back, and the way to my own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.responses import Response

from hub.identity.acting import Acting, Leave, acting_for, stop_acting
from hub.identity.directory import agents_of, get_many
from hub.identity.resources import server_of
from hub.invocations.queries import asked_for
from hub.storage import now
from hub.web.inert import Inert, inert_name
from hub.web.moments import At, at
from hub.web.people_views import agent_line
from hub.web.scope_words import scope_line
from hub.web.views.entry import ScopeLine
from hub.web.views.people import AgentLine
from hub.web.visits import Shown, Visit, redirect_telling, show

PATH: Final = "/acting"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveLine:
    """What an agent may do at one server, since when, and on whose word if it is not the viewer's own."""

    server: str
    scopes: tuple[ScopeLine, ...]
    since: At
    word: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingLine:
    """One agent that may act for the viewer."""

    id: str
    agent: Inert
    name: str
    is_suspended: bool
    may_come_back: bool
    """Whether another word than the viewer's can let it act again."""
    leaves: tuple[LeaveLine, ...]
    has_only_asked: bool = False
    """Whether all that the hub knows of it is what it has asked for, by a token that ran out or is an issuer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActingPage:
    """Every agent that may act for the viewer, and those that the viewer owns, by name."""

    lines: tuple[ActingLine, ...]
    owned: tuple[AgentLine, ...] = ()


async def show_acting(visit: Visit) -> Response:
    """Show which agents may act for the visitor."""
    async with visit.runtime.database.reading() as tx:
        found = await acting_for(tx, visit.person.id, await asked_for(tx, visit.person.id))
        owned = await get_many(tx, sorted(await agents_of(tx, visit.person.id)))
        moment = await now(tx)
    page = ActingPage(
        lines=tuple(_line(visit, one, moment) for one in found),
        owned=tuple(agent_line(one, {}) for one in sorted(owned.values(), key=lambda each: each.name)),
    )
    return show(visit, Shown(template="acting.html", title="Agents that act for me", page=page, here="acting"))


async def stop(visit: Visit) -> Response:
    """Let one agent act for the visitor no longer."""
    async with visit.runtime.database.transaction() as tx:
        asked, agent_id = await asked_for(tx, visit.person.id), visit.request.path_params["agent_id"]
        agent = await stop_acting(tx, visit.person.id, agent_id, visit.own_authority, asked)
    told = f"{agent.name} acts for you no longer. What it had asked for in your name is not carried out any more."
    return redirect_telling(visit, PATH, told)


def _line(visit: Visit, one: Acting, moment: datetime) -> ActingLine:
    return ActingLine(
        id=one.agent.id,
        agent=inert_name(one.agent.display_name),
        name=one.agent.name,
        is_suspended=one.agent.is_suspended,
        may_come_back=any(leave.issuer or leave.passed_on_by for leave in one.leaves),
        has_only_asked=not one.leaves,
        leaves=tuple(_leave(visit, leave, moment) for leave in one.leaves),
    )


def _leave(visit: Visit, leave: Leave, moment: datetime) -> LeaveLine:
    return LeaveLine(
        server=server_of(leave.resource, visit.runtime.public_url) or leave.resource,
        scopes=tuple(scope_line(scope, given_before=True) for scope in leave.scopes),
        since=at(leave.since, now=moment),
        word=_word(leave),
    )


def _word(leave: Leave) -> str:
    if leave.passed_on_by is not None:
        return f"passed on by {leave.passed_on_by.name}"
    return f"on the word of {leave.issuer}" if leave.issuer else ""
