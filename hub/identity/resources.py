"""Resources: the URL that stands for each published server, and for the API, in tokens (RFC 8707), and back."""

import re
from typing import Final

EVERYTHING: Final = "everything"
"""The name of the built-in server at `/mcp`: whatever the caller may use in the default environment."""

_BUILT_IN: Final = f"{EVERYTHING}-"
"""What the names of the built-in servers of single environments begin with; nobody may name another server so."""

API: Final = "hub.api"
"""What stands for the API among the servers an agent is allowed; no published server can have this name."""

_PATHS: Final = {EVERYTHING: "/mcp", API: "/api/v1"}
_SERVER_PATH: Final = re.compile(r"/servers/([a-z0-9][a-z0-9._-]{0,63})/mcp")


def resource_of(server: str, public_url: str) -> str:
    """Return the resource identifier of `server`: its MCP URL."""
    return public_url.rstrip("/") + _PATHS.get(server, f"/servers/{server}/mcp")


def resources_to(server: str, public_url: str) -> tuple[str, ...]:
    """Return the resources through which a call of `server` may have come: what is built in is behind `/mcp`, too."""
    names = (server, EVERYTHING) if server.startswith(_BUILT_IN) else (server,)
    return tuple(resource_of(name, public_url) for name in names)


def may_use(allowed_servers: frozenset[str], server: str) -> bool:
    """Return whether a client that is allowed these servers may have tokens for `server`.

    The built-in servers are open to whoever is allowed any server at all: there, everybody sees what it may use.
    """
    is_built_in = server == EVERYTHING or server.startswith(_BUILT_IN)
    return server in allowed_servers or (is_built_in and bool(allowed_servers))


def server_of(resource: str, public_url: str) -> str | None:
    """Return the name of the server that `resource` stands for, or None if it is none of this hub's.

    Compared by character: a trailing slash, another case or a query makes another resource.
    """
    base = public_url.rstrip("/")
    if not resource.startswith(f"{base}/"):
        return None
    path = resource.removeprefix(base)
    for server, own_path in _PATHS.items():
        if path == own_path:
            return server
    match = _SERVER_PATH.fullmatch(path)
    return match[1] if match and match[1] not in _PATHS else None
