"""Secrets of agents: the screens on which its owner or an administrator issues the next one and revokes an old one."""

from starlette.responses import Response

from hub.core.errors import InputError, NotFound
from hub.identity.clients import issue_secret, revoke_secret
from hub.identity.directory import get
from hub.web.person import demand_answering, person_shown
from hub.web.views.people import NewSecretPage
from hub.web.visits import Shown, Visit, redirect_telling, show


async def issue_client_secret(visit: Visit) -> Response:
    """Give an agent one more secret, and show it.

    The one POST that answers with a page: a secret that waited for the next GET would have to be kept somewhere.
    """
    await demand_answering(visit)
    try:
        async with visit.runtime.database.transaction() as tx:
            agent = await get(tx, visit.request.path_params["principal_id"])
            secret = await issue_secret(tx, agent.id, visit.own_authority)
    except InputError as error:
        return await person_shown(visit, problem=error.message)
    view = NewSecretPage(
        name=agent.name,
        client_id=agent.id,
        secret_id=secret.id,
        client_secret=secret.value,
        expires=f"{secret.expires_at.day} {secret.expires_at.strftime('%b %Y')}",
    )
    return show(visit, Shown(template="new_secret.html", title="New secret", page=view, here="people"))


async def revoke_client_secret(visit: Visit) -> Response:
    """Make one secret of an agent useless at once; the others stay good."""
    await demand_answering(visit)
    principal_id, secret_id = (visit.request.path_params[name] for name in ("principal_id", "secret_id"))
    try:
        async with visit.runtime.database.transaction() as tx:
            await get(tx, principal_id)
            await revoke_secret(tx, principal_id, secret_id, visit.own_authority)
    except NotFound as error:
        return await person_shown(visit, problem=error.message)
    return redirect_telling(
        visit, f"/people/{principal_id}", "The secret is revoked. Tokens it gave end by themselves."
    )
