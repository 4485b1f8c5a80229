"""What clients discover: the authorization server's metadata (RFC 8414) and its public keys."""

from typing import Any, Final

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hub.identity.assertions import SIGNING_ALGORITHMS
from hub.identity.client_documents import takes_documents
from hub.identity.clients import AUTHENTICATION_METHODS
from hub.identity.grants import AuthorizationServer
from hub.identity.grants_assertion import ID_JAG
from hub.identity.grants_types import GRANT_TYPES
from hub.identity.possession import ALGORITHMS
from hub.oauth.answers import ANYWHERE, PREFLIGHT
from hub.oauth.register import newcomers_register

_LOOPBACK: Final = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def metadata_of(server: AuthorizationServer) -> dict[str, Any]:
    """Return the metadata document, checked against RFC 8414.

    Raises:
        ValueError: the public URL is neither https nor on this very machine.
    """
    issuer = server.issuer
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "jwks_uri": f"{issuer}/oauth/jwks.json",
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": sorted(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": sorted(AUTHENTICATION_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": sorted(SIGNING_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": sorted(AUTHENTICATION_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": sorted(SIGNING_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": sorted(AUTHENTICATION_METHODS.keys() - {"none"}),
        "introspection_endpoint_auth_signing_alg_values_supported": sorted(SIGNING_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
    }
    if any(link.issuer.asserts for link in server.issuers):
        document["authorization_grant_profiles_supported"] = [ID_JAG]
    if newcomers_register(server):
        document["registration_endpoint"] = f"{issuer}/oauth/register"
    _validate(document)
    return document


async def metadata(server: AuthorizationServer, request: Request) -> Response:
    """Answer `GET /.well-known/oauth-authorization-server`."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    document = metadata_of(server)
    if server.documents is not None:
        async with server.database.reading() as tx:
            document["client_id_metadata_document_supported"] = await takes_documents(tx, server.documents)
    return JSONResponse(document, headers={**ANYWHERE, "Cache-Control": "public, max-age=300"})


async def jwks(server: AuthorizationServer, request: Request) -> Response:
    """Answer `GET /oauth/jwks.json`: the current key and those whose tokens may still be out."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    keys = server.keys.public_keys("tokens")
    headers = {**ANYWHERE, "Cache-Control": "public, max-age=300"}
    return JSONResponse({"keys": [dict(key) for key in keys]}, headers=headers, media_type="application/jwk-set+json")


def _validate(document: dict[str, Any]) -> None:
    if document["issuer"].startswith(_LOOPBACK):
        # RFC 8414 demands https; on the person's own machine there is nobody to listen in (RFC 8252 section 8.3).
        document = {
            name: value.replace("http://", "https://", 1) if isinstance(value, str) else value
            for name, value in document.items()
        }
    AuthorizationServerMetadata(document).validate()
