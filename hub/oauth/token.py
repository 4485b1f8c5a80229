"""The token endpoint: prove the client, let the grant type decide, answer in the shape of RFC 6749 section 5.1."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.core.errors import ProofRefused
from hub.identity.clients import Client, authenticate_client
from hub.identity.grants import AuthorizationServer, Issued, OAuthError, Refused
from hub.identity.grants_assertion import prepare_assertion
from hub.identity.grants_exchange import ACCESS_TOKEN, prepare_exchange
from hub.identity.grants_types import exchange
from hub.identity.possession import NONCE_HEADER, Place, Proof, new_nonce, use_proof
from hub.identity.scopes import scope_text
from hub.oauth.answers import PRIVATE, error_answer, unproven_answer
from hub.oauth.proof import asked_by_a_client, held_key
from hub.storage import Tx


async def token(server: AuthorizationServer, request: Request) -> Response:
    """Answer `POST /oauth/token`."""
    parameters, proof = await asked_by_a_client(server, request)
    if "resource" in parameters.repeated:
        return error_answer(OAuthError.INVALID_TARGET, "A token is for one resource; ask for one at a time.")
    held = await held_key(server, request)
    await prepare_exchange(server, parameters.values)
    await prepare_assertion(server, parameters.values)
    async with server.database.transaction() as tx:
        client = await authenticate_client(tx, proof)
        outcome = None if client is None else await _decided(tx, server, client, held, parameters.values)
    match outcome:
        case None:
            return unproven_answer()
        case ProofRefused():
            raise outcome
        case Refused():
            return error_answer(outcome.error, outcome.description)
        case Issued():
            return _issued(outcome, {NONCE_HEADER: new_nonce(server.keys, Place.AUTHORIZATION)} if held else {})


async def _decided(
    tx: Tx, server: AuthorizationServer, client: Client, held: Proof | None, asked: Mapping[str, str]
) -> Issued | Refused | ProofRefused:
    """Return what comes of the request; a refusal, too, so that what proved the client stays used with it."""
    if held is None:
        return await exchange(tx, server, client, asked)
    try:
        await use_proof(tx, held)
    except ProofRefused as refused:
        return refused
    return await exchange(tx, server, replace(client, holds_key=held.thumbprint), asked)


def _issued(issued: Issued, headers: Mapping[str, str]) -> Response:
    body: dict[str, str | int] = {
        "access_token": issued.access_token,
        "token_type": "DPoP" if issued.is_bound else "Bearer",
        "expires_in": int(issued.lifetime.total_seconds()),
        "scope": scope_text(issued.scopes),
    }
    if issued.is_exchanged:
        body["issued_token_type"] = ACCESS_TOKEN
    if issued.refresh_token is not None:
        body["refresh_token"] = issued.refresh_token
    return JSONResponse(body, headers={**PRIVATE, **headers})
