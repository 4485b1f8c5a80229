"""Resources: the URL that stands for each published server in tokens (RFC 8707), and back."""

import re
from typing import Final

EVERYTHING: Final = "everything"
"""The name of the built-in server at `/mcp`: whatever the caller may use in the default environment."""

_SERVER_PATH: Final = re.compile(r"/servers/([a-z0-9][a-z0-9._-]{0,63})/mcp")


def resource_of(server: str, public_url: str) -> str:
    """Return the resource identifier of `server`: its MCP URL."""
    path = "/mcp" if server == EVERYTHING else f"/servers/{server}/mcp"
    return public_url.rstrip("/") + path


def server_of(resource: str, public_url: str) -> str | None:
    """Return the name of the server that `resource` stands for, or None if it is none of this hub's.

    Compared by character: a trailing slash, another case or a query makes another resource.
    """
    base = public_url.rstrip("/")
    if not resource.startswith(f"{base}/"):
        return None
    path = resource.removeprefix(base)
    if path == "/mcp":
        return EVERYTHING
    match = _SERVER_PATH.fullmatch(path)
    return match[1] if match and match[1] != EVERYTHING else None
