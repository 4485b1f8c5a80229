"""The authorization endpoint: check the request, and show the person to the login, or keep it for the consent page.

Nothing is kept for strangers: the address of the request goes with them to the login, and from there back here.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from hub.core.errors import HubError, InputError, Malformed, TooMany
from hub.identity.client_documents import read_document, stale_client
from hub.identity.grants import AuthorizationServer
from hub.identity.grants_authorize import (
    Asked,
    AuthorizationQuery,
    Sound,
    TurnedBack,
    Unanswerable,
    begin_authorization,
    check_authorization,
)
from hub.identity.login_budgets import charges_for_documents
from hub.identity.sessions import WebSession, cookie_name, session_of
from hub.oauth.parameters import Unreadable, query_of

PRIVATE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"}
_OF_QUERIES: Final = "!$&'()*+,/:;=?@%"
"""What stands in a query as it is (RFC 3986 section 3.4); some browsers send more."""
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
    async with server.database.reading() as tx:
        session = await session_of(tx, request.cookies.get(cookie_name(server.public_url)))
    if not await _is_met(server, session, parameters.values.get("client_id", "")):
        return _to_the_login(server, request)
    match await _outcome(server, session, query):
        case Sound():
            return _to_the_login(server, request)
        case Asked(request_id=request_id):
            return RedirectResponse(f"{server.issuer}/consent/{request_id}", status_code=303, headers=PRIVATE)
        case TurnedBack(location=location):
            return RedirectResponse(location, status_code=303, headers=PRIVATE)
        case Unanswerable(message=message):
            return _page(message, status=400)


async def _outcome(
    server: AuthorizationServer, session: WebSession | None, query: AuthorizationQuery
) -> Sound | Asked | TurnedBack | Unanswerable:
    if session is None:
        async with server.database.reading() as tx:
            return await check_authorization(tx, server, query)
    async with server.database.transaction() as tx:
        return await begin_authorization(tx, server, query)


async def _is_met(server: AuthorizationServer, session: WebSession | None, client_id: str) -> bool:
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
    if stale is None:
        return True
    if session is None:
        return False
    person_id = session.principal.id
    authority = server.authority(person_id)
    charges = charges_for_documents(person_id)
    await read_document(server.database, server.documents, stale, charges=charges, authority=authority)
    return True


def _to_the_login(server: AuthorizationServer, request: Request) -> Response:
    """Show somebody to the login, which leads back here, with the request as it came."""
    query = quote(request.scope["query_string"], safe=_OF_QUERIES)
    target = urlencode({"next": f"{request.url.path}?{query}"})
    return RedirectResponse(f"{server.issuer}/login?{target}", status_code=303, headers=PRIVATE)


def _page(message: str, *, status: int) -> Response:
    # Whoever sent the browser here cannot be trusted with an answer, so it ends here, in words (RFC 6749 4.1.2.1).
    text = f"This request for access cannot go on.\n\n{message}\n"
    headers = {**PRIVATE, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    return PlainTextResponse(text, status_code=status, headers=headers)
