"""Accounts: the screens on which an administrator makes people, agents and groups, and changes or suspends them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from hub.core.errors import Conflict, InputError
from hub.identity.accounts import (
    NewUser,
    create_group,
    create_user,
    groups,
    resume,
    set_email,
    set_groups,
    set_roles,
    suspend,
)
from hub.identity.authority import Authority
from hub.identity.client_documents import register_document
from hub.identity.clients import (
    ClientAuthentication,
    NewAgent,
    create_agent,
    limit_client,
    set_binding,
    set_redirects,
)
from hub.identity.declarations import Statement, state
from hub.identity.directory import get, get_many, page
from hub.identity.invitations import invite
from hub.identity.owners import owner_named
from hub.identity.passkeys import remove_all
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Principal, PrincipalKind, Role
from hub.registry import EVERYTHING, allowable_servers, check_servers, connector_scopes
from hub.storage import Tx
from hub.web.forms import Form
from hub.web.inert import inert_name
from hub.web.invitations import show_link
from hub.web.people_views import (
    agent_line,
    choices,
    person_line,
    role_choices,
    server_choices,
)
from hub.web.person import demand_answering, person_shown
from hub.web.views.people import (
    GroupLine,
    NewAgentForm,
    NewGroupForm,
    NewUserForm,
    PeoplePage,
)
from hub.web.visits import Shown, Visit, redirect_telling, show

_PAGE: Final = 50
_NOTICES: Final = {
    "agent": "The agent has been made. If it is to prove itself by a secret, issue one here.",
    "nowhere": "The agent has been made, and no server is ticked: it can have no token until one is. Tick one here.",
    "group": "The group has been made.",
    "changed": "The change has been saved.",
    "passkeys": "The passkeys are removed, and every session has ended. A password makes a fresh login again.",
    "suspended": "The account is suspended.",
    "resumed": "The account may act again.",
}


async def show_people(visit: Visit) -> Response:
    """Show all accounts, and the forms that make more."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    return await _people(visit)


async def add_user(visit: Visit) -> Response:
    """Make a person's account, and show the link by which the person sets a password."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    form = visit.form
    try:
        new = NewUser(
            name=form.one("name").strip(),
            display_name=form.one("display_name").strip(),
            roles=_roles(form.all("roles")),
            groups=frozenset(form.all("groups")),
        )
        async with visit.runtime.database.transaction() as tx:
            person = await create_user(tx, new, visit.own_authority)
            invitation = await invite(tx, person.id, visit.own_authority)
    except (InputError, Conflict) as error:
        return await _people(visit, problem_with="user", problem=error.message)
    return show_link(visit, person, invitation)


async def add_agent(visit: Visit) -> Response:
    """Make an agent and show its first secret, once."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    document = visit.form.one("document_url").strip()
    try:
        async with visit.runtime.database.transaction() as tx:
            new = _agent_typed(visit.form, await owner_named(tx, visit.form.one("owner")))
            await check_servers(tx, new.allowed_servers)
            agent = await create_agent(tx, new, visit.own_authority)
            if document:
                await register_document(tx, agent, document)
    except (InputError, Conflict) as error:
        return await _people(visit, problem_with="agent", problem=error.message)
    if not agent.usable_servers:
        return redirect_telling(visit, f"/people/{agent.id}", _NOTICES["nowhere"], tone="warn")
    return redirect_telling(visit, f"/people/{agent.id}", _NOTICES["agent"])


def _agent_typed(form: Form, owner_id: str) -> NewAgent:
    is_public = bool(form.one("document_url").strip() or form.one("is_public"))
    return NewAgent(
        name=form.one("name").strip(),
        display_name=form.one("display_name").strip(),
        owner_id=owner_id,
        allowed_scopes=frozenset(form.one("scopes").split()),
        allowed_servers=frozenset(form.all("servers")),
        redirect_uris=tuple(form.one("redirect_uris").split()),
        authentication=ClientAuthentication.NONE if is_public else ClientAuthentication.SECRET,
        needs_bound_tokens=bool(form.one("needs_bound_tokens")),
    )


async def add_group(visit: Visit) -> Response:
    """Make a group that rules can ask."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    try:
        async with visit.runtime.database.transaction() as tx:
            await create_group(tx, visit.form.one("name").strip(), visit.form.one("title").strip(), visit.own_authority)
    except InputError as error:
        return await _people(visit, problem_with="group", problem=error.message)
    return redirect_telling(visit, "/people", _NOTICES["group"])


async def change_groups(visit: Visit) -> Response:
    """Put an account into exactly the groups that are ticked."""
    names = frozenset(visit.form.all("groups"))

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        return await set_groups(tx, principal_id, names, authority)

    return await _change(visit, change, done="changed")


async def change_roles(visit: Visit) -> Response:
    """Give an account exactly the roles that are ticked."""
    chosen = visit.form.all("roles")

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        return await set_roles(tx, principal_id, _roles(chosen), authority)

    return await _change(visit, change, done="changed")


async def change_limits(visit: Visit) -> Response:
    """Set what an agent's tokens may ever hold, and where; those already out are narrowed at once."""
    scopes, servers = frozenset(visit.form.one("scopes").split()), frozenset(visit.form.all("servers"))

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        before = await get(tx, principal_id)
        await check_servers(tx, servers - before.allowed_servers)
        return await limit_client(tx, principal_id, scopes=scopes, servers=servers, authority=authority)

    return await _change(visit, change, done="changed")


async def change_statement(visit: Visit) -> Response:
    """Set which model and prompt an agent's owner states."""
    await demand_answering(visit)
    statement = Statement(model=visit.form.one("model"), prompt=visit.form.one("prompt"))

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        await state(tx, principal_id, statement, authority)
        return await get(tx, principal_id)

    return await _changed(visit, change, done="changed")


async def change_email(visit: Visit) -> Response:
    """Set where somebody hears that something waits."""
    address = visit.form.one("email").strip()

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        return await set_email(tx, principal_id, address, authority)

    return await _change(visit, change, done="changed")


async def invite_person(visit: Visit) -> Response:
    """Show a link by which somebody sets a new password; the one they had is no longer good."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    try:
        async with visit.runtime.database.transaction() as tx:
            person = await get(tx, visit.request.path_params["principal_id"])
            invitation = await invite(tx, person.id, visit.own_authority)
    except (InputError, Conflict) as error:
        return await person_shown(visit, problem=error.message)
    return show_link(visit, person, invitation)


async def remove_passkeys(visit: Visit) -> Response:
    """Take away every passkey of somebody who has lost them."""

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        await remove_all(tx, principal_id, authority)
        return await get(tx, principal_id)

    return await _change(visit, change, done="passkeys")


async def change_redirects(visit: Visit) -> Response:
    """Set where an agent's codes may be sent."""
    uris = tuple(visit.form.one("redirect_uris").split())

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        await set_redirects(tx, principal_id, uris, authority)
        return await get(tx, principal_id)

    return await _change(visit, change, done="changed")


async def change_binding(visit: Visit) -> Response:
    """Say whether only tokens of an agent count that are bound to a key of its own."""
    is_needed = bool(visit.form.one("needs_bound_tokens"))

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        return await set_binding(tx, principal_id, authority, is_needed=is_needed)

    return await _change(visit, change, done="changed")


async def suspend_person(visit: Visit) -> Response:
    """Stop an account at once."""
    reason = visit.form.one("reason").strip()

    async def change(tx: Tx, principal_id: str, authority: Authority) -> Principal:
        if not reason:
            raise InputError("Say why; it is kept on record.")
        return await suspend(tx, principal_id, reason, authority)

    return await _change(visit, change, done="suspended")


async def resume_person(visit: Visit) -> Response:
    """Let a suspended account act again."""
    return await _change(visit, resume, done="resumed")


async def _change(visit: Visit, change: Callable[[Tx, str, Authority], Awaitable[Principal]], *, done: str) -> Response:
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    return await _changed(visit, change, done=done)


async def _changed(
    visit: Visit, change: Callable[[Tx, str, Authority], Awaitable[Principal]], *, done: str
) -> Response:
    principal_id = visit.request.path_params["principal_id"]
    try:
        async with visit.runtime.database.transaction() as tx:
            await change(tx, principal_id, visit.own_authority)
    except (InputError, Conflict) as error:
        return await person_shown(visit, problem=error.message)
    return redirect_telling(visit, f"/people/{principal_id}", _NOTICES[done])


async def _people(visit: Visit, *, problem_with: str = "", problem: str = "") -> Response:
    async with visit.runtime.database.reading() as tx:
        view = await _people_page(tx, visit.person, after=visit.request.query_params.get("after"))
    match problem_with:
        case "user":
            view = replace(view, new_user=_typed_user(visit, view.new_user, problem))
        case "agent":
            view = replace(view, new_agent=_typed_agent(visit, view.new_agent, problem))
        case "group":
            typed = NewGroupForm(name=visit.form.one("name"), title=visit.form.one("title"), problem=problem)
            view = replace(view, new_group=typed)
        case _:
            pass
    return show(visit, _shown("people.html", "People and agents", view, problem=problem))


async def _people_page(tx: Tx, viewer: Principal, *, after: str | None) -> PeoplePage:
    users = await page(tx, kind=PrincipalKind.USER, after=after, limit=_PAGE)
    clients = [
        client
        for kind in (PrincipalKind.AGENT, PrincipalKind.SERVICE)
        for client in await page(tx, kind=kind, after=after, limit=_PAGE)
    ]
    owners = await get_many(tx, [client.owner_id for client in clients if client.owner_id])
    titles = await groups(tx)
    last = max((each.name for each in users[_PAGE - 1 :] + clients[_PAGE - 1 :]), default="")
    return PeoplePage(
        people=tuple(person_line(user) for user in users),
        agents=tuple(agent_line(client, owners) for client in clients),
        groups=tuple(GroupLine(name=name, title=inert_name(title)) for name, title in titles.items()),
        new_user=NewUserForm(groups=choices(titles), roles=role_choices(frozenset({Role.MEMBER}))),
        new_agent=NewAgentForm(
            servers=server_choices(await allowable_servers(tx), frozenset({EVERYTHING})),
            known_scopes=tuple(await connector_scopes(tx)),
            owner=viewer.name,
        ),
        new_group=NewGroupForm(),
        more_url=f"/people?after={last}" if last else "",
    )


def _shown(template: str, title: str, view: object, *, problem: str) -> Shown:
    return Shown(template=template, title=title, page=view, here="people", status=400 if problem else 200)


def _roles(names: tuple[str, ...]) -> frozenset[Role]:
    try:
        return frozenset(Role(name) for name in names)
    except ValueError as error:
        raise InputError("There is no such role.") from error


def _typed_user(visit: Visit, empty: NewUserForm, problem: str) -> NewUserForm:
    form = visit.form
    chosen_groups, chosen_roles = form.all("groups"), form.all("roles")
    return NewUserForm(
        groups=tuple(replace(each, is_chosen=each.value in chosen_groups) for each in empty.groups),
        roles=tuple(replace(each, is_chosen=each.value in chosen_roles) for each in empty.roles),
        name=form.one("name"),
        display_name=form.one("display_name"),
        problem=problem,
    )


def _typed_agent(visit: Visit, empty: NewAgentForm, problem: str) -> NewAgentForm:
    form = visit.form
    return NewAgentForm(
        owner=form.one("owner"),
        name=form.one("name"),
        display_name=form.one("display_name"),
        scopes=form.one("scopes"),
        known_scopes=empty.known_scopes,
        servers=tuple(replace(each, is_chosen=each.value in form.all("servers")) for each in empty.servers),
        redirect_uris=form.one("redirect_uris"),
        document_url=form.one("document_url"),
        problem=problem,
    )
