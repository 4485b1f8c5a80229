"""Refusals before any message is served: HTTP statuses, challenges (RFC 6750), and bodies that a person can read."""

import json
from collections.abc import Iterable
from typing import Any, Final

from mcp_types import INVALID_REQUEST, PARSE_ERROR
from starlette.responses import Response

from hub.core.errors import Malformed, ScopeMissing, Unauthenticated, Unavailable
from hub.mcp.messages import NotARequest

RequestId = str | int | None

NOT_PERMITTED: Final = -32001
"""JSON-RPC leaves -32000 to -32099 to servers; clients show the message beside it."""
NOT_AVAILABLE: Final = -32002


def unauthenticated(error: Unauthenticated | None, *, metadata: str, scopes: Iterable[str]) -> Response:
    """Return 401: where to get a token and with which scopes; what was wrong with the one that came, if one did."""
    said = [] if error is None else [("error", "invalid_token"), ("error_description", error.message)]
    message = "This needs an access token; the WWW-Authenticate header says where to get one."
    challenge = _challenge([*said, ("resource_metadata", metadata), ("scope", " ".join(sorted(scopes)))])
    body = _error(None, NOT_PERMITTED, error.message if error else message, {"error": "invalid_token"})
    return _response(401, body, {"WWW-Authenticate": challenge})


def scope_missing(error: ScopeMissing, request_id: RequestId, *, metadata: str) -> Response:
    """Return 403 `insufficient_scope`, naming every scope the call needs at once."""
    scope = " ".join(error.needed)
    said = [("error", "insufficient_scope"), ("scope", scope), ("resource_metadata", metadata)]
    challenge = _challenge([*said, ("error_description", error.message)])
    details = {"error": "insufficient_scope", "scope": scope, "resource_metadata": metadata}
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


def unavailable(error: Unavailable) -> Response:
    """Return 503: a part the hub needs does not answer."""
    return _response(503, _error(None, NOT_AVAILABLE, error.message, {"error": error.code}), {"Retry-After": "2"})


def failed(trace_id: str) -> Response:
    """Return 500: what went wrong is in the hub's log under `trace_id`, nothing of it here."""
    message = f"Something went wrong inside the hub; its log says more under {trace_id}."
    return _response(500, _error(None, NOT_AVAILABLE, message, {"error": "internal_error", "trace_id": trace_id}))


def _challenge(parameters: Iterable[tuple[str, str]]) -> str:
    return "Bearer " + ", ".join(f'{name}="{_quoted(value)}"' for name, value in parameters if value)


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
