"""The authorization endpoint: check the request, keep it, and show the person to the login or the consent page."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from hub.core.errors import Unavailable
from hub.identity.grants import AuthorizationServer
from hub.identity.grants_authorize import Asked, AuthorizationQuery, TurnedBack, begin_authorization
from hub.identity.sessions import cookie_name, session_of
from hub.oauth.parameters import Unreadable, query_of

PRIVATE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"}


async def authorize(server: AuthorizationServer, request: Request) -> Response:
    """Answer `GET /oauth/authorize`: to the consent page, back to the client, or a plain page that says why not."""
    try:
        parameters = query_of(request)
        query = AuthorizationQuery(values=parameters.values, repeated=parameters.repeated)
        async with server.database.transaction() as tx:
            outcome = await begin_authorization(tx, server, query)
        match outcome:
            case Asked(request_id=request_id):
                return await _to_the_person(server, request, f"/consent/{request_id}")
            case TurnedBack(location=location):
                return RedirectResponse(location, status_code=303, headers=PRIVATE)
            case _:
                return _page(outcome.message, status=400)
    except Unreadable as error:
        return _page(str(error), status=400)
    except Unavailable as error:
        return _page(error.message, status=503)


async def _to_the_person(server: AuthorizationServer, request: Request, page: str) -> Response:
    async with server.database.reading() as tx:
        session = await session_of(tx, request.cookies.get(cookie_name(server.public_url)))
    path = page if session is not None else f"/login?{urlencode({'next': page})}"
    return RedirectResponse(server.issuer + path, status_code=303, headers=PRIVATE)


def _page(message: str, *, status: int) -> Response:
    # Whoever sent the browser here cannot be trusted with an answer, so it ends here, in words (RFC 6749 4.1.2.1).
    text = f"This request for access cannot go on.\n\n{message}\n"
    headers = {**PRIVATE, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"}
    return PlainTextResponse(text, status_code=status, headers=headers)
