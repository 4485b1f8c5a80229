"""The token endpoint: prove the client, let the grant type decide, answer in the shapes of RFC 6749 section 5."""

import base64
from typing import Final
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.core.errors import Unavailable
from hub.identity.clients import ClientProof, authenticate_client
from hub.identity.grants import AuthorizationServer, Issued, OAuthError, Refused
from hub.identity.grants_types import exchange
from hub.identity.scopes import scope_text
from hub.oauth.parameters import Unreadable, form_of

ANYWHERE: Final = {"Access-Control-Allow-Origin": "*"}
"""Clients in browsers may read the answers: no cookie counts at these endpoints, so no page gains by asking."""
PRIVATE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache", **ANYWHERE}
PREFLIGHT: Final = {
    **ANYWHERE,
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, MCP-Protocol-Version",
    "Access-Control-Max-Age": "3600",
}


async def token(server: AuthorizationServer, request: Request) -> Response:
    """Answer `POST /oauth/token`."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    try:
        return await _answer(server, request)
    except Unreadable as error:
        return _error(OAuthError.INVALID_REQUEST, str(error))
    except Unavailable as error:
        body = {"error": "temporarily_unavailable", "error_description": error.message}
        return JSONResponse(body, status_code=503, headers={**PRIVATE, "Retry-After": "2"})


async def _answer(server: AuthorizationServer, request: Request) -> Response:
    if request.url.query:
        raise Unreadable("Send the parameters in the body, none in the URL.")
    parameters = await form_of(request)
    if "resource" in parameters.repeated:
        return _error(OAuthError.INVALID_TARGET, "A token is for one resource; ask for one at a time.")
    if parameters.repeated:
        raise Unreadable(f"{', '.join(sorted(parameters.repeated))} may be sent once only.")
    proof = _proof(request.headers.get("authorization"), parameters.values)
    async with server.database.transaction() as tx:
        client = await authenticate_client(tx, proof)
        outcome = None if client is None else await exchange(tx, server, client, parameters.values)
    match outcome:
        case None:
            return _unproven()
        case Refused():
            return _error(outcome.error, outcome.description)
        case Issued():
            return _issued(outcome)


def _proof(authorization: str | None, form: dict[str, str]) -> ClientProof:
    """Return what the client proves itself with.

    Raises:
        Unreadable: it chose no method, or more than one (RFC 6749 section 2.3).
    """
    if authorization is not None:
        if "client_secret" in form:
            raise Unreadable("Prove who you are once: by the header or in the body.")
        return _from_header(authorization, form.get("client_id"))
    if "client_id" not in form:
        raise Unreadable("Send client_id, or prove who you are by HTTP Basic.")
    if "client_secret" in form:
        return ClientProof(client_id=form["client_id"], method="client_secret_post", secret=form["client_secret"])
    return ClientProof(client_id=form["client_id"], method="none")


def _from_header(authorization: str, named: str | None) -> ClientProof:
    scheme, _, encoded = authorization.partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError as error:
        raise Unreadable("The Authorization header cannot be read.") from error
    if scheme.lower() != "basic" or not colon:
        raise Unreadable("The Authorization header has to be HTTP Basic with client_id and secret.")
    client_id = unquote_plus(client_id)
    if named not in {None, client_id}:
        raise Unreadable("client_id in the body is not the one in the header.")
    return ClientProof(client_id=client_id, method="client_secret_basic", secret=unquote_plus(secret))


def _issued(issued: Issued) -> Response:
    body: dict[str, str | int] = {
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": int(issued.lifetime.total_seconds()),
        "scope": scope_text(issued.scopes),
    }
    if issued.refresh_token is not None:
        body["refresh_token"] = issued.refresh_token
    return JSONResponse(body, headers=PRIVATE)


def _error(error: OAuthError, description: str) -> Response:
    body = {"error": error.value, "error_description": description}
    return JSONResponse(body, status_code=400, headers=PRIVATE)


def _unproven() -> Response:
    # One answer for an unknown client, a wrong secret, an expired one and a suspended client.
    body = {"error": OAuthError.INVALID_CLIENT.value, "error_description": "The client could not be authenticated."}
    headers = {**PRIVATE, "WWW-Authenticate": 'Basic realm="toolhub", charset="UTF-8"'}
    return JSONResponse(body, status_code=401, headers=headers)
