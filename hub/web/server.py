"""One server: what is on it and who may use it, and the forms by which those who look after it change it."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from hub import registry
from hub.core.errors import Conflict, Forbidden, FreshLoginNeeded, InputError, Malformed, NotFound
from hub.identity import directory
from hub.identity.accounts import groups
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Principal, PrincipalKind
from hub.registry import BY_TWO, SecondPerson, Server, ServerDefinition
from hub.registry.looking_after import require_server_steward
from hub.registry.names import is_built_in
from hub.registry.reading import server_row
from hub.registry.visibility import server_name
from hub.storage import Tx
from hub.web.forms import Form
from hub.web.inert import inert
from hub.web.server_views import (
    LISTINGS,
    Looking,
    entry_line,
    group_choices,
    listing_choices,
    proposal_card,
    server_line,
)
from hub.web.tool_offers import Offers, chosen_tools, offers_for
from hub.web.views.catalog import Choice, ServerPage, ServerProposalCard
from hub.web.visits import Shown, Visit, redirect, redirect_telling, show

_REFUSALS: Final = (Conflict, Forbidden, InputError, NotFound)
_NOTHING: Final = ServerDefinition(name="none", environment=registry.Environment.DEV, title="none")
"""In place of the definition of a built-in server, which has none."""


async def show_server(visit: Visit) -> Response:
    """Show one server."""
    demand(visit.person, Permission.SEE_CATALOG)
    return await _page(visit)


async def change_server(visit: Visit) -> Response:
    """Change one thing about a server, or propose it where that takes two."""
    name, action = _name(visit), visit.request.url.path.rpartition("/")[2]
    if action == FIND:
        demand(visit.person, Permission.SEE_CATALOG)
        return await _page(visit)
    if action in _ALONE:
        return await _alone(visit, name, action)
    try:
        async with visit.runtime.database.transaction() as tx:
            before = await registry.definition_of(tx, name)
            if before is None or is_built_in(name):
                raise NotFound(f"There is no server {name!r} that can be changed.")
            told = await _put(tx, visit, _CHANGES[action](before, visit))
    except _REFUSALS as refusal:
        return await _page(visit, problem=refusal.message)
    return redirect_telling(visit, f"/servers/{name}", told)


async def make_server(visit: Visit, again: Callable[[str], Awaitable[Response]]) -> Response:
    """Make an empty server, or propose it; `again` shows the page with what is wrong."""
    form = visit.form
    try:
        wanted = ServerDefinition.model_validate(
            {"name": form.one("name"), "environment": form.one("environment"), "title": form.one("title")}
        )
        async with visit.runtime.database.transaction() as tx:
            if await registry.definition_of(tx, wanted.name) is not None:
                raise Conflict(f"There is a server {wanted.name!r} already; choose another name.")
            told = await _put(tx, visit, wanted)
    except ValueError:
        return await again("A server has a title, and a name of a to z, 0 to 9 and -, a letter first, at most 48.")
    except _REFUSALS as refusal:
        return await again(refusal.message)
    return redirect_telling(visit, "/servers" if wanted.environment in BY_TWO else f"/servers/{wanted.name}", told)


async def decide_on_proposal(visit: Visit) -> Response:
    """Publish what somebody else has proposed, or say no to it."""
    proposal_id, choice = str(visit.request.path_params["proposal_id"]), visit.form.one("choice")
    if choice not in {"publish", "reject"}:
        raise Malformed("Press one of the buttons. Nothing was decided.")
    async with visit.runtime.database.reading() as tx:
        name = (await registry.get_server_proposal(tx, proposal_id)).wanted.name
    try:
        async with visit.runtime.database.transaction() as tx:
            if choice == "publish":
                at = visit.session.authenticated_at
                second = SecondPerson(digest=visit.form.one("digest"), authenticated_at=at)
                await registry.publish_server(tx, proposal_id, second, visit.own_authority)
            else:
                await registry.reject_proposal(tx, proposal_id, visit.form.one("reason"), visit.own_authority)
    except FreshLoginNeeded:
        return redirect("/fresh-login?next=/servers")
    except _REFUSALS as refusal:
        return redirect_telling(visit, "/servers", refusal.message, tone="bad")
    if choice == "publish":
        return redirect_telling(visit, f"/servers/{name}", "Published.")
    return redirect_telling(visit, "/servers", "Rejected.")


async def proposal_cards(tx: Tx, visit: Visit, server: str | None = None) -> tuple[ServerProposalCard, ...]:
    """Return what waits for a second person, as this one sees it."""
    found = await registry.server_proposals(tx, server)
    people = await directory.get_many(tx, [one.proposed_by for one in found if one.proposed_by])
    cards = list[ServerProposalCard]()
    for one in found:
        may_publish = await registry.may_publish(tx, one, visit.person.id)
        looking = Looking(may_publish=may_publish, may_reject=may_publish or one.proposed_by == visit.person.id)
        cards.append(proposal_card(one, people, looking))
    return tuple(cards)


async def _put(tx: Tx, visit: Visit, wanted: ServerDefinition) -> str:
    if wanted.environment in BY_TWO:
        await registry.propose_server(tx, wanted, visit.form.one("reason"), visit.own_authority)
        return "Proposed. It changes when another person publishes it."
    changed = await registry.define_server(tx, wanted, visit.own_authority)
    return "Saved." if changed else "Nothing has changed."


async def _alone(visit: Visit, name: str, action: str) -> Response:
    """Take something away, which takes nobody else."""
    try:
        async with visit.runtime.database.transaction() as tx:
            if action == "retire":
                await registry.retire_server(tx, name, visit.form.one("reason"), visit.own_authority)
            else:
                await registry.unpublish(tx, name, visit.form.one("entry"), visit.own_authority)
    except _REFUSALS as refusal:
        return await _page(visit, problem=refusal.message)
    if action == "retire":
        return redirect_telling(visit, "/servers", f"{name} is retired.", tone="warn")
    return redirect_telling(visit, f"/servers/{name}", "It is offered here no more.", tone="warn")


def _settings(before: ServerDefinition, visit: Visit) -> ServerDefinition:
    form = visit.form
    changes = {
        "title": form.one("title").strip(),
        "description": form.one("description").strip(),
        "instructions": form.one("instructions").strip(),
        "listing": form.one("listing"),
        "owner_group": form.one("owner_group") or None,
        "groups": form.all("groups"),
    }
    return _checked({**before.model_dump(), **changes})


def _add(before: ServerDefinition, visit: Visit) -> ServerDefinition:
    there = [one.model_dump() for one in before.tools]
    return _checked({**before.model_dump(), "tools": [*there, *chosen_tools(visit.form)]})


def _rename(before: ServerDefinition, visit: Visit) -> ServerDefinition:
    name, wanted = visit.form.one("entry"), visit.form.one("name").strip()
    tools = [one.model_copy(update={"name": wanted}) if one.published_name == name else one for one in before.tools]
    return before.model_copy(update={"tools": tuple(tools)})


def _clients(before: ServerDefinition, visit: Visit) -> ServerDefinition:
    """Keep a tool for clients that know tasks, or let all call it."""
    name, needs_tasks = visit.form.one("entry"), visit.form.one("clients") == "with tasks"
    tools = [
        one.model_copy(update={"needs_tasks": needs_tasks}) if one.published_name == name else one
        for one in before.tools
    ]
    return before.model_copy(update={"tools": tuple(tools)})


def _checked(fields: dict[str, object]) -> ServerDefinition:
    try:
        return ServerDefinition.model_validate(fields)
    except ValueError as error:
        raise InputError("A title is needed, and tools from the list. Nothing was changed.") from error


_CHANGES: Final[dict[str, Callable[[ServerDefinition, Visit], ServerDefinition]]] = {
    "settings": _settings,
    "add": _add,
    "rename": _rename,
    "clients": _clients,
}
_ALONE: Final = ("remove", "retire")
"""What one person may do everywhere, for it takes something away."""
FIND: Final = "find"
"""What looks for tools to choose from, keeps what is ticked, and changes nothing."""
ACTIONS: Final = (*_CHANGES, *_ALONE, FIND)


def _name(visit: Visit) -> str:
    return server_name(str(visit.request.path_params["server"]), visit.runtime.catalog.default)


def _put_on(visit: Visit) -> Form:
    """Return what was filled in of the form that puts tools on a server; nothing, where another one was sent."""
    is_it = visit.request.method == "POST" and visit.request.url.path.rpartition("/")[2] in {"add", FIND}
    return visit.form if is_it else Form(fields={})


async def _page(visit: Visit, *, problem: str = "") -> Response:
    runtime, name = visit.runtime, _name(visit)
    server = await runtime.catalog.server(name)
    entries = await runtime.catalog.entries(server=name, caller=visit.session.caller)
    scopes = await runtime.catalog.scopes(name)
    async with runtime.database.reading() as tx:
        defined = await registry.definition_of(tx, name) or _NOTHING
        owners = await directory.get_many(tx, [server.owner_id] if server.owner_id else [])
        agents = [one for kind in _PROGRAMS for one in await directory.page(tx, kind=kind, limit=_MOST_AGENTS)]
        known = await groups(tx)
        proposals = await proposal_cards(tx, visit, name)
        may_change = await _may_change(tx, visit, server)
    offers = (
        await offers_for(defined, runtime.catalog, visit.session.caller, _put_on(visit)) if may_change else Offers()
    )
    default = server_name(registry.EVERYTHING, runtime.catalog.default)
    page = ServerPage(
        line=server_line(server, owners, default=default, public_url=runtime.public_url),
        description=inert(server.description),
        instructions=inert(server.instructions),
        listing=Choice(value=server.listing.value, label=LISTINGS[server.listing]),
        owner_group=server.owner_group or "",
        scopes=tuple(sorted(scopes)),
        agents=tuple(one.display_name for one in agents if _uses(one, name, default)),
        groups=defined.groups,
        entries=tuple(map(entry_line, entries)),
        proposals=proposals,
        is_built_in=is_built_in(name),
        may_change=may_change,
        takes_two=server.environment in BY_TWO,
        texts=(server.title, server.description, server.instructions),
        listings=listing_choices(server.listing),
        group_choices=group_choices(known, defined.groups),
        team_choices=group_choices(known, [server.owner_group] if server.owner_group else []),
        offers=offers,
        problem=problem,
    )
    status = 400 if problem else 200
    return show(visit, Shown(template="server.html", title=server.title, page=page, here="servers", status=status))


_PROGRAMS: Final = (PrincipalKind.AGENT, PrincipalKind.SERVICE)
_MOST_AGENTS: Final = 200


def _uses(agent: Principal, server: str, default: str) -> bool:
    allowed = {default if one == registry.EVERYTHING else one for one in agent.usable_servers}
    return server in allowed and not agent.is_suspended


async def _may_change(tx: Tx, visit: Visit, server: Server) -> bool:
    if is_built_in(server.name):
        return False
    try:
        await require_server_steward(tx, await server_row(tx, server.name), visit.own_authority)
    except Forbidden:
        return False
    return True
