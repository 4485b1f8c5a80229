"""The authorization endpoint: check the request, keep it, and show the person to the login or the consent page."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from hub.core.errors import HubError, InputError, Malformed, TooMany
from hub.identity.client_documents import read_document, stale_client
from hub.identity.grants import AuthorizationServer
from hub.identity.grants_authorize import Asked, AuthorizationQuery, TurnedBack, begin_authorization
from hub.identity.login_budgets import charges_for_documents
from hub.identity.sessions import cookie_name, session_of
from hub.oauth.parameters import Unreadable, query_of

PRIVATE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"}
_STATUS: Final[Mapping[type[HubError], int]] = {InputError: 400, Malformed: 400, TooMany: 429}


async def authorize(server: AuthorizationServer, request: Request) -> Response:
    """Answer `GET /oauth/authorize`: to the consent page, back to the client, or a plain page that says why not."""
    try:
        return await _begun(server, request)
    except Unreadable as error:
        return _page(str(error), status=400)
    except HubError as error:
        return _page(error.message, status=_STATUS.get(type(error), 503))


async def _begun(server: AuthorizationServer, request: Request) -> Response:
    parameters = query_of(request)
    query = AuthorizationQuery(values=parameters.values, repeated=parameters.repeated)
    if not await _is_met(server, request, parameters.values.get("client_id", "")):
        return _to_the_login(server, f"{request.url.path}?{request.url.query}")
    async with server.database.transaction() as tx:
        outcome = await begin_authorization(tx, server, query)
    match outcome:
        case Asked(request_id=request_id):
            return await _to_the_person(server, request, f"/consent/{request_id}")
        case TurnedBack(location=location):
            return RedirectResponse(location, status_code=303, headers=PRIVATE)
        case _:
            return _page(outcome.message, status=400)


async def _is_met(server: AuthorizationServer, request: Request, client_id: str) -> bool:
    """Have what a client's metadata document says on record; False if somebody has to log in first.

    Nobody from the street makes the hub ask others: a document is read for somebody who is known here.

    Raises:
        InputError: the document will not do.
        TooMany: this person has made the hub read too many.
    """
    if server.documents is None:
        return True
    async with server.database.reading() as tx:
        stale = await stale_client(tx, server.documents, client_id)
        session = await session_of(tx, request.cookies.get(cookie_name(server.public_url)))
    if stale is None:
        return True
    if session is None:
        return False
    person_id = session.principal.id
    authority = server.authority(person_id)
    charges = charges_for_documents(person_id)
    await read_document(server.database, server.documents, stale, charges=charges, authority=authority)
    return True


async def _to_the_person(server: AuthorizationServer, request: Request, page: str) -> Response:
    async with server.database.reading() as tx:
        session = await session_of(tx, request.cookies.get(cookie_name(server.public_url)))
    if session is None:
        return _to_the_login(server, page)
    return RedirectResponse(server.issuer + page, status_code=303, headers=PRIVATE)


def _to_the_login(server: AuthorizationServer, then: str) -> Response:
    return RedirectResponse(f"{server.issuer}/login?{urlencode({'next': then})}", status_code=303, headers=PRIVATE)


def _page(message: str, *, status: int) -> Response:
    # Whoever sent the browser here cannot be trusted with an answer, so it ends here, in words (RFC 6749 4.1.2.1).
    text = f"This request for access cannot go on.\n\n{message}\n"
    headers = {**PRIVATE, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    return PlainTextResponse(text, status_code=status, headers=headers)
