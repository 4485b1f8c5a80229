"""Dynamic client registration (RFC 7591) and what a registration may do with itself (RFC 7592): read it, and end it.

It is off unless the operator turns it on, with a token or for anybody. A client that registers is a newcomer: an agent
within the bounds that the settings name, which acts for nobody until a person has allowed it.
"""

import hmac
from typing import Any, Final

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.core.canonical import parse_json
from hub.core.errors import InputError
from hub.core.ids import new_id
from hub.identity.accounts import suspend_once
from hub.identity.assertions import json_object
from hub.identity.client_documents import newcomer
from hub.identity.clients import Client, ClientAuthentication, find_client, issue_secret
from hub.identity.grants import AuthorizationServer
from hub.identity.login_budgets import charges_for_registration, spend
from hub.identity.newcomers import Introduction, Newcomers, introduced
from hub.identity.secrets import hash_secret, new_secret
from hub.identity.tables import ClientRegistrationRow
from hub.oauth.answers import PRIVATE
from hub.storage import Tx, now

LARGEST: Final = 16_384
_METHODS: Final = {
    ClientAuthentication.SECRET: "client_secret_basic",
    ClientAuthentication.KEY: "private_key_jwt",
    ClientAuthentication.NONE: "none",
}


def newcomers_register(server: AuthorizationServer) -> Newcomers | None:
    """Return the operator's terms for clients that register themselves, or None: none may."""
    newcomers = server.documents.newcomers if server.documents is not None else None
    return newcomers if newcomers is not None and newcomers.registration != "off" else None


async def register(server: AuthorizationServer, request: Request) -> Response:
    """Answer `POST /oauth/register`."""
    newcomers = newcomers_register(server)
    if newcomers is None:
        return _refused("access_denied", "This hub lets no client register itself; ask an administrator.", status=403)
    if not _has_token(newcomers, request):
        return _unauthorized()
    source = request.client.host if request.client else None
    async with server.database.transaction() as tx:
        wait = await spend(tx, charges_for_registration(source))
    if wait is not None:
        answer = _refused("temporarily_unavailable", f"Too many registrations; try again in {wait} s.", status=429)
        answer.headers["Retry-After"] = str(wait)
        return answer
    try:
        said = introduced(await _body(request), with_secrets=True)
        async with server.database.transaction() as tx:
            return await _registered(tx, server, newcomers, said)
    except InputError as error:
        is_redirect = "redirect" in error.message
        return _refused("invalid_redirect_uri" if is_redirect else "invalid_client_metadata", error.message)


async def registration(server: AuthorizationServer, request: Request) -> Response:
    """Answer `GET` and `DELETE /oauth/register/{client_id}`, for the bearer of the registration's own token."""
    async with server.database.transaction() as tx:
        client = await _of_bearer(tx, request)
        if client is None:
            return _unauthorized()
        if request.method == "DELETE":
            authority = server.authority(client.principal.id)
            await suspend_once(tx, client.principal.id, "ended by its own registration", authority)
            return Response(status_code=204, headers=PRIVATE)
        return JSONResponse(_described(server, client), headers=PRIVATE)


async def _registered(tx: Tx, server: AuthorizationServer, newcomers: Newcomers, said: Introduction) -> Response:
    authority = server.authority("registration")
    agent = await newcomer(tx, newcomers, said, f"registered-{new_id('reg')[4:]}", authority)
    token, at = new_secret("thn"), await now(tx)
    tx.add(ClientRegistrationRow(principal_id=agent.id, token_hash=hash_secret(token), registered_at=at))
    await tx.flush()
    client = Client(
        principal=agent, redirect_uris=said.redirect_uris, authentication=said.authentication, jwks=said.jwks
    )
    body = _described(server, client) | {"registration_access_token": token, "client_id_issued_at": int(at.timestamp())}
    if said.authentication is ClientAuthentication.SECRET:
        secret = await issue_secret(tx, agent.id, authority)
        body |= {"client_secret": secret.value, "client_secret_expires_at": int(secret.expires_at.timestamp())}
    return JSONResponse(body, status_code=201, headers=PRIVATE)


def _described(server: AuthorizationServer, client: Client) -> dict[str, Any]:
    described: dict[str, Any] = {
        "client_id": client.principal.id,
        "client_name": client.principal.display_name,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": _METHODS[client.authentication],
        "dpop_bound_access_tokens": client.principal.needs_bound_tokens,
        "registration_client_uri": f"{server.issuer}/oauth/register/{client.principal.id}",
    }
    return described if client.jwks is None else described | {"jwks": dict(client.jwks)}


async def _of_bearer(tx: Tx, request: Request) -> Client | None:
    client_id = str(request.path_params["client_id"])
    query = select(ClientRegistrationRow.principal_id).where(
        ClientRegistrationRow.principal_id == client_id,
        ClientRegistrationRow.token_hash == hash_secret(_bearer(request)),
    )
    client = await find_client(tx, client_id)
    if client is None or client.principal.is_suspended or await tx.scalar(query) is None:
        return None
    return client


def _has_token(newcomers: Newcomers, request: Request) -> bool:
    wanted = newcomers.registration_token
    return wanted is None or hmac.compare_digest(wanted.get_secret_value().encode(), _bearer(request).encode())


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _body(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise InputError(f"The client metadata are longer than {LARGEST} bytes.")
    said = json_object(parse_json(bytes(body)))
    if said is None:
        raise InputError("Send the client metadata as a JSON object (RFC 7591 section 3.1).")
    return said


def _unauthorized() -> Response:
    answer = _refused("invalid_token", "Send the token of this registration as a bearer token.", status=401)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="toolhub", error="invalid_token"'
    return answer


def _refused(error: str, description: str, *, status: int = 400) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status, headers=PRIVATE)
