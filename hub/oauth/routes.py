"""Where the authorization server's endpoints are mounted."""

from functools import partial
from typing import Final
from urllib.parse import urlsplit

from starlette.routing import Route

from hub.identity.grants import AuthorizationServer
from hub.identity.resources import API, EVERYTHING
from hub.invocations.runtime import Runtime
from hub.oauth.answers import answered
from hub.oauth.authorize import authorize
from hub.oauth.issued_tokens import introspect, revoke
from hub.oauth.metadata import jwks, metadata, metadata_of
from hub.oauth.register import register, registration
from hub.oauth.token import token
from hub.registry import servers
from hub.storage import Tx

WELL_KNOWN: Final = "/.well-known/oauth-authorization-server"


def oauth_routes(runtime: Runtime) -> list[Route]:
    """Return the routes of the authorization server of a running hub.

    Raises:
        ValueError: the public URL is neither https nor on this very machine.
    """
    server = AuthorizationServer(
        database=runtime.database,
        keys=runtime.keys,
        public_url=runtime.public_url,
        is_server=is_published,
        issuers=runtime.issuers,
        documents=runtime.documents,
    )
    return routes_of(server)


async def is_published(tx: Tx, name: str) -> bool:
    """Return whether the registry has a server called `name`; the built-in one and the API are always there."""
    return name in {EVERYTHING, API} or name in {server.name for server in await servers(tx)}


def routes_of(server: AuthorizationServer) -> list[Route]:
    """Return the routes of an authorization server.

    The metadata also answers where clients look that put a path behind the well-known name: the path of the issuer
    (RFC 8414 section 3.1), and the path of a server for clients older than RFC 9728, which take the server they
    connect to for the authorization server. It names the same issuer everywhere.

    Raises:
        ValueError: the public URL is neither https nor on this very machine.
    """
    metadata_of(server)  # a hub that clients cannot trust should not start
    read, ask = ["GET", "OPTIONS"], ["POST", "OPTIONS"]
    for_clients = (("token", token), ("revoke", revoke), ("introspect", introspect))
    described = partial(metadata, server)
    places = [WELL_KNOWN, f"{WELL_KNOWN}/mcp", f"{WELL_KNOWN}/servers/{{server}}/mcp"]
    path = urlsplit(server.issuer).path
    if path:
        places.append(WELL_KNOWN + path)
    return [
        Route("/oauth/authorize", partial(authorize, server), methods=["GET"]),
        *(Route(f"/oauth/{name}", partial(answered, endpoint, server), methods=ask) for name, endpoint in for_clients),
        Route("/oauth/register", partial(answered, register, server), methods=ask),
        Route(
            "/oauth/register/{client_id}",
            partial(answered, registration, server),
            methods=["GET", "DELETE", "OPTIONS"],
        ),
        Route("/oauth/jwks.json", partial(jwks, server), methods=read),
        *(Route(place, described, methods=read) for place in places),
    ]
