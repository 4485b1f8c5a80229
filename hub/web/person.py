"""One account on its page: to who manages accounts all of it, and of an agent, to its owner, what the owner sees to."""

from dataclasses import replace

from starlette.responses import Response

from hub.identity.accounts import groups
from hub.identity.client_documents import document_of
from hub.identity.clients import ClientAuthentication, find_client
from hub.identity.declarations import agent_versions
from hub.identity.directory import get, get_many
from hub.identity.expiring import held_secrets
from hub.identity.foreign_people import identities_of
from hub.identity.invitations import open_until
from hub.identity.passkeys import passkeys_of
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import PrincipalKind
from hub.registry import allowable_servers, connector_scopes
from hub.storage import now
from hub.web.moments import at
from hub.web.people_views import (
    identity_lines,
    linkable_issuers,
    person_page,
    secret_lines,
    server_choices,
    unknown_scopes,
    version_lines,
)
from hub.web.visits import Shown, Visit, show


async def show_person(visit: Visit) -> Response:
    """Show one account."""
    await demand_answering(visit)
    return await person_shown(visit)


async def demand_answering(visit: Visit) -> None:
    """Let in who answers for the account that the page is about: who manages accounts, and the owner of an agent.

    Raises:
        Forbidden: the visitor does not, or there is no such account.
    """
    agent_id = visit.request.path_params["principal_id"]
    async with visit.runtime.database.reading() as tx:
        agent = (await get_many(tx, [agent_id])).get(agent_id)
    is_owner = agent is not None and agent.kind is not PrincipalKind.USER and agent.owner_id == visit.person.id
    if not is_owner:
        demand(visit.person, Permission.MANAGE_ACCOUNTS)


async def person_shown(visit: Visit, *, problem: str = "") -> Response:
    """Show one account as it stands now, and what stood against the change that was asked for."""
    async with visit.runtime.database.reading() as tx:
        principal = await get(tx, visit.request.path_params["principal_id"])
        owners = await get_many(tx, [principal.owner_id] if principal.owner_id else [])
        client = await find_client(tx, principal.id)
        versions = await agent_versions(tx, principal.id, limit=20)
        declarers = await get_many(tx, [one.declared_by for one in versions if one.declared_by])
        moment = await now(tx)
        titles = await groups(tx)
        allowable = await allowable_servers(tx)
        held = await held_secrets(tx, principal.id)
        document = await document_of(tx, principal.id)
        passkeys = await passkeys_of(tx, principal.id)
        identities = await identities_of(tx, principal.id)
        until = await open_until(tx, principal.id)
        scopes = await connector_scopes(tx)
    has_secrets = client is not None and client.authentication is ClientAuthentication.SECRET
    named = {**dict.fromkeys(sorted(principal.allowed_servers), "not there any more"), **allowable}
    view = replace(
        person_page(principal, owners, titles),
        server_choices=server_choices(named, principal.allowed_servers),
        known_scopes=tuple(scopes),
        unknown_scopes=unknown_scopes(principal, scopes),
        can_have_secrets=has_secrets,
        known_by=document or "",
        secrets=secret_lines(held, moment),
        model=str(versions[0].declaration["model"]) if versions else "",
        prompt=str(versions[0].declaration["prompt"]) if versions else "",
        versions=version_lines(versions, declarers, moment),
        redirect_uris=client.redirect_uris if client else (),
        passkeys=len(passkeys),
        invited_until=None if until is None else at(until, now=moment),
        is_newcomer=client is not None and client.is_newcomer,
        needs_bound_tokens=principal.needs_bound_tokens,
        identities=identity_lines(identities, visit.runtime.issuers, moment),
        linkable=linkable_issuers(principal, identities, visit.runtime.issuers),
        may_manage=may(visit.person, Permission.MANAGE_ACCOUNTS),
        problem=problem,
    )
    status = 400 if problem else 200
    shown = Shown(template="person.html", title=principal.display_name, page=view, here="people", status=status)
    return show(visit, shown)
