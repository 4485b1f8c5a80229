"""Identities of people elsewhere: the screens on which an administrator links a person with an external issuer."""

from starlette.responses import Response

from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.foreign_people import link, unlink
from hub.identity.issuers import Issuer
from hub.identity.permissions import Permission, demand
from hub.web.person import person_shown
from hub.web.visits import Visit, redirect_telling


async def link_identity(visit: Visit) -> Response:
    """Let a subject of an issuer be this person."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    principal_id, subject = visit.request.path_params["principal_id"], visit.form.one("subject").strip()
    try:
        issuer = _issuer(visit, visit.form.one("issuer"))
        async with visit.runtime.database.transaction() as tx:
            await link(tx, principal_id, issuer, subject, visit.own_authority)
    except (InputError, Conflict) as error:
        return await person_shown(visit, problem=error.message)
    return redirect_telling(visit, f"/people/{principal_id}", f"{issuer.title} knows this person now.")


async def unlink_identity(visit: Visit) -> Response:
    """Let an issuer speak for this person no longer; its tokens stop at once."""
    demand(visit.person, Permission.MANAGE_ACCOUNTS)
    principal_id = visit.request.path_params["principal_id"]
    try:
        issuer = _issuer(visit, visit.request.path_params["issuer"])
        async with visit.runtime.database.transaction() as tx:
            await unlink(tx, principal_id, issuer.issuer, visit.own_authority)
    except (InputError, NotFound) as error:
        return await person_shown(visit, problem=error.message)
    told = f"{issuer.title} does not speak for this person any more. A session that it opened ends by itself."
    return redirect_telling(visit, f"/people/{principal_id}", told)


def _issuer(visit: Visit, name: str) -> Issuer:
    found = visit.runtime.issuers.find(name)
    if found is None:
        raise InputError("The settings name no such issuer.")
    return found.issuer
