"""What clients discover before they have a token: each server as a protected resource (RFC 9728)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.core.errors import NotFound
from hub.identity.possession import ALGORITHMS
from hub.identity.resources import EVERYTHING, resource_of
from hub.invocations.runtime import Runtime

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_ANYWHERE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "MCP-Protocol-Version",
}
"""Clients in browsers may read it: it holds nothing that depends on who asks."""


async def resource_metadata(runtime: Runtime, request: Request) -> Response:
    """Answer `GET /.well-known/oauth-protected-resource/...`: where to get a token for the server, and which scopes."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=_ANYWHERE)
    try:
        name = server_name(request)
        server = await runtime.catalog.server(name)
        scopes = await runtime.catalog.scopes(name)
    except NotFound:
        return JSONResponse({"error": "not_found"}, status_code=404, headers=_ANYWHERE)
    document: dict[str, Any] = {
        "resource": resource_of(name, runtime.public_url),
        "resource_name": server.title,
        "authorization_servers": [runtime.public_url.rstrip("/"), *runtime.issuers.taking_tokens()],
        "scopes_supported": sorted(scopes),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
    }
    return JSONResponse(document, headers={**_ANYWHERE, "Cache-Control": "public, max-age=60"})


def metadata_url(server: str, public_url: str) -> str:
    """Return where the metadata of `server` is found (RFC 9728 section 3.1)."""
    base = public_url.rstrip("/")
    return f"{base}{WELL_KNOWN}{resource_of(server, base).removeprefix(base)}"


def server_name(request: Request) -> str:
    """Return the name of the server that the request's path is about.

    Raises:
        NotFound: the path spells out the built-in server, which has one address, /mcp.
    """
    name = str(request.path_params.get("server", ""))
    if name == EVERYTHING:
        raise NotFound("The built-in server is at /mcp.")
    return name or EVERYTHING
