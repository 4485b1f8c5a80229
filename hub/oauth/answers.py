"""The shapes in which clients are answered: who may read them, what is never cached, errors (RFC 6749 section 5.2)."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.core.errors import NonceNeeded, ProofRefused, Unavailable
from hub.identity.grants import AuthorizationServer, OAuthError
from hub.identity.possession import NONCE_HEADER
from hub.oauth.parameters import Unreadable

ANYWHERE: Final = {"Access-Control-Allow-Origin": "*"}
"""Clients in browsers may read the answers: no cookie counts at these endpoints, so no page gains by asking."""
PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    **ANYWHERE,
    "Access-Control-Expose-Headers": f"{NONCE_HEADER}, WWW-Authenticate",
}
PREFLIGHT: Final = {
    **ANYWHERE,
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP, MCP-Protocol-Version",
    "Access-Control-Max-Age": "3600",
}

Endpoint = Callable[[AuthorizationServer, Request], Awaitable[Response]]


async def answered(endpoint: Endpoint, server: AuthorizationServer, request: Request) -> Response:
    """Answer a request to an endpoint for clients, also one that is a preflight or cannot be read."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    try:
        return await endpoint(server, request)
    except Unreadable as error:
        return error_answer(OAuthError.INVALID_REQUEST, str(error))
    except ProofRefused as error:
        body = {"error": error.code, "error_description": error.message}
        nonce = {NONCE_HEADER: error.nonce} if isinstance(error, NonceNeeded) else {}
        return JSONResponse(body, status_code=400, headers={**PRIVATE, **nonce})
    except Unavailable as error:
        body = {"error": "temporarily_unavailable", "error_description": error.message}
        return JSONResponse(body, status_code=503, headers={**PRIVATE, "Retry-After": "2"})


def error_answer(error: OAuthError, description: str) -> Response:
    """Return a refusal that says why."""
    body = {"error": error.value, "error_description": description}
    return JSONResponse(body, status_code=400, headers=PRIVATE)


def unproven_answer() -> Response:
    """Return the one answer to an unknown client, a wrong secret, an expired one and a suspended client."""
    body = {"error": OAuthError.INVALID_CLIENT.value, "error_description": "The client could not be authenticated."}
    headers = {**PRIVATE, "WWW-Authenticate": 'Basic realm="toolhub", charset="UTF-8"'}
    return JSONResponse(body, status_code=401, headers=headers)
