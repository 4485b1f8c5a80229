"""The endpoints about tokens already issued: revocation (RFC 7009) and introspection (RFC 7662)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.identity.access_tokens import nested_actors
from hub.identity.clients import ClientAuthentication, authenticate_client
from hub.identity.grants import AuthorizationServer, OAuthError
from hub.identity.grants_lookup import LiveToken, end_grant_of, live_token
from hub.identity.scopes import scope_text
from hub.oauth.answers import PRIVATE, error_answer, unproven_answer
from hub.oauth.proof import asked_by_a_client

_HINT = "Send token."


async def revoke(server: AuthorizationServer, request: Request) -> Response:
    """Answer `POST /oauth/revoke`: 200 whether or not there was something to end (RFC 7009 section 2.2)."""
    parameters, proof = await asked_by_a_client(server, request)
    async with server.database.transaction() as tx:
        client = await authenticate_client(tx, proof)
        if client is None:
            return unproven_answer()
        if "token" not in parameters.values:
            return error_answer(OAuthError.INVALID_REQUEST, _HINT)
        await end_grant_of(tx, server, client, parameters.values["token"])
    return Response(status_code=200, headers=PRIVATE)


async def introspect(server: AuthorizationServer, request: Request) -> Response:
    """Answer `POST /oauth/introspect` for a client that can prove who it is (RFC 7662 section 2.1)."""
    parameters, proof = await asked_by_a_client(server, request)
    async with server.database.transaction() as tx:
        client = await authenticate_client(tx, proof)
        if client is None or client.authentication is ClientAuthentication.NONE:
            return unproven_answer()
        if "token" not in parameters.values:
            return error_answer(OAuthError.INVALID_REQUEST, _HINT)
        found = await live_token(tx, server, client, parameters.values["token"])
    return JSONResponse(_described(server, found), headers=PRIVATE)


def _described(server: AuthorizationServer, found: LiveToken | None) -> dict[str, Any]:
    if found is None:
        return {"active": False}
    described: dict[str, Any] = {
        "active": True,
        "iss": server.issuer,
        "aud": found.resource,
        "client_id": found.client_id,
        "sub": found.user_id or found.client_id,
        "scope": scope_text(found.scopes),
        "iat": int(found.issued_at.timestamp()),
        "exp": int(found.expires_at.timestamp()),
    }
    if found.user_id is not None:
        described["act"] = nested_actors((found.client_id, *found.actors))
    if found.id is not None:
        described |= {"jti": found.id, "token_type": "Bearer"}
    if found.key_thumbprint is not None:
        described |= {"token_type": "DPoP", "cnf": {"jkt": found.key_thumbprint}}
    return described
