"""Refusals before any message is served: HTTP statuses, challenges (RFC 6750, 9449), bodies that people can read."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from mcp_types import INVALID_REQUEST, PARSE_ERROR
from starlette.responses import Response

from hub.core.errors import Malformed, NonceNeeded, NotFound, ProofRefused, ScopeMissing, Unauthenticated, Unavailable
from hub.identity.possession import ALGORITHMS, BEARER, DPOP, NONCE_HEADER
from hub.mcp.messages import NotARequest

RequestId = str | int | None

NOT_PERMITTED: Final = -32001
"""JSON-RPC leaves -32000 to -32099 to servers; clients show the message beside it."""
NOT_AVAILABLE: Final = -32002


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """The server that a request was for, where its metadata are, and the scheme by which the token came, if one did."""

    server: str
    metadata: str
    scheme: str


def unauthenticated(error: Unauthenticated | None, where: Where, *, scopes: Iterable[str]) -> Response:
    """Return 401: where to get a token and with which scopes; what was wrong with what came, if something did.

    Both schemes are offered (RFC 9449 section 7.2), the one that the client used first.
    """
    code = error.code if isinstance(error, ProofRefused) else "invalid_token"
    said = [] if error is None else [("error", code), ("error_description", error.message)]
    message = "This needs an access token; the WWW-Authenticate header says where to get one."
    told = [*said, ("resource_metadata", where.metadata), ("scope", " ".join(sorted(scopes)))]
    body = _error(None, NOT_PERMITTED, error.message if error else message, {"error": code})
    answer = _response(401, body, {NONCE_HEADER: error.nonce} if isinstance(error, NonceNeeded) else {})
    first, second = (DPOP, BEARER) if where.scheme == DPOP else (BEARER, DPOP)
    answer.headers.append("WWW-Authenticate", _challenge(first, told))
    answer.headers.append("WWW-Authenticate", _challenge(second, [("resource_metadata", where.metadata)]))
    return answer


def scope_missing(error: ScopeMissing, request_id: RequestId, where: Where) -> Response:
    """Return 403 `insufficient_scope`, naming every scope the call needs at once."""
    scope = " ".join(error.needed)
    said = [("error", "insufficient_scope"), ("scope", scope), ("resource_metadata", where.metadata)]
    challenge = _challenge(where.scheme, [*said, ("error_description", error.message)])
    details = {"error": "insufficient_scope", "scope": scope, "resource_metadata": where.metadata}
    return _response(403, _error(request_id, NOT_PERMITTED, error.message, details), {"WWW-Authenticate": challenge})


def malformed(error: Malformed | NotARequest) -> Response:
    """Return 400 with JSON-RPC's parse error, or with the error of what can be read but is no request."""
    if isinstance(error, NotARequest):
        return _response(400, _error(error.request_id, error.code, error.message, {"error": "invalid_request"}))
    return _response(400, _error(None, PARSE_ERROR, f"Parse error: {error.message}", {"error": error.code}))


def too_large(limit: int) -> Response:
    """Return 413: the body is longer than `limit` bytes."""
    message = f"The request is longer than {limit} bytes; send less at once."
    return _response(413, _error(None, INVALID_REQUEST, message, {"error": "too_large"}))


def unknown_server() -> Response:
    """Return 404: nothing is published here."""
    return _response(404, _error(None, INVALID_REQUEST, "No MCP server is published here.", {"error": "not_found"}))


def no_such_session(error: NotFound) -> Response:
    """Return 404 for a session: its client opens another (2025-11-25, Session Management)."""
    return _response(404, _error(None, INVALID_REQUEST, error.message, {"error": "no_such_session"}))


def unavailable(error: Unavailable) -> Response:
    """Return 503: a part the hub needs does not answer."""
    return _response(503, _error(None, NOT_AVAILABLE, error.message, {"error": error.code}), {"Retry-After": "2"})


def failed(trace_id: str) -> Response:
    """Return 500: what went wrong is in the hub's log under `trace_id`, nothing of it here."""
    message = f"Something went wrong inside the hub; its log says more under {trace_id}."
    return _response(500, _error(None, NOT_AVAILABLE, message, {"error": "internal_error", "trace_id": trace_id}))


def _challenge(scheme: str, parameters: Iterable[tuple[str, str]]) -> str:
    algorithms = [("algs", " ".join(ALGORITHMS))] if scheme == DPOP else []
    told = [*parameters, *algorithms]
    return f"{scheme} " + ", ".join(f'{name}="{_quoted(value)}"' for name, value in told if value)


def _quoted(value: str) -> str:
    """Return `value` in the characters that RFC 6750 section 3 allows there."""
    plain = value.encode("ascii", "replace").decode().replace("\\", "/").replace('"', "'")
    return "".join(character if character.isprintable() else " " for character in plain)


def _error(request_id: RequestId, code: int, message: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message, "data": data}}


def _response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(
        content,
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )
