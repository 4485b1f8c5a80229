"""How an API is signed in to, as its document says; and which headers are the broker's for that reason."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from connectors.openapi.document import Document, Object, as_list, as_object, as_text
from connectors.sdk.auth import ApiKey, AuthSpec, Basic, Bearer, ClientCredentials, OnBehalfOfUser

Json = Any
"""Any JSON value."""


def schemes_of(document: Document) -> dict[str, Object]:
    """Return the ways to sign in that the document defines, those that its operations ask for first."""
    if document.version == "2.0":
        defined = as_object(document.root.get("securityDefinitions"))
    else:
        defined = as_object(as_object(document.root.get("components")).get("securitySchemes"))
    asked = [name for one in as_list(document.root.get("security")) for name in as_object(one)]
    names = dict.fromkeys([*(name for name in asked if name in defined), *defined])
    return {name: document.resolved(defined[name]) for name in names}


def secret_headers(document: Document) -> frozenset[str]:
    """Return the request headers that carry the credential, in lower case."""
    schemes = schemes_of(document).values()
    named = (as_text(scheme.get("name")).lower() for scheme in schemes if scheme.get("in") == "header")
    return frozenset({"authorization", *named})


def auth_of(document: Document, scopes: Sequence[str]) -> AuthSpec:
    """Return the first way to sign in that the broker knows, asking for `scopes`; none is a finding."""
    schemes = schemes_of(document)
    for scheme in schemes.values():
        for auth in _ways(document, scheme, " ".join(sorted(scopes))):
            return auth
    if schemes:
        document.note("The broker knows none of the ways to sign in that the document defines; say one in an overlay.")
    return AuthSpec()


def _ways(document: Document, scheme: Object, scope: str) -> Iterator[AuthSpec]:
    match as_text(scheme.get("type")), as_text(scheme.get("scheme")).lower():
        case ("http", "basic") | ("basic", _):
            yield Basic()
        case ("http", "bearer") | ("openIdConnect", _):
            yield Bearer()
        case "apiKey", _:
            yield from _by_key(document, scheme)
        case "oauth2", _:
            yield from _by_token(document, scheme, scope)
        case kind, _:
            document.note(f"The way to sign in {kind[:40]!r} is not known.")


def _by_key(document: Document, scheme: Object) -> Iterator[AuthSpec]:
    name, place = as_text(scheme.get("name")), as_text(scheme.get("in"))
    match place:
        case "header" if name:
            yield ApiKey(header=name)
        case "cookie" if name:
            yield ApiKey(header="cookie", prefix=f"{name}=")
        case _:
            document.note(f"A key is asked for in {place or 'no place'}, where the broker puts none.")


def _by_token(document: Document, scheme: Object, scope: str) -> Iterator[AuthSpec]:
    flows = as_object(scheme.get("flows")) or {as_text(scheme.get("flow")): scheme}
    for name, flow in flows.items():
        token_url = as_text(as_object(flow).get("tokenUrl"))
        try:
            if name in {"clientCredentials", "application"}:
                yield ClientCredentials(token_url=token_url, scope=scope)
            elif name in {"authorizationCode", "accessCode"}:
                yield OnBehalfOfUser(token_url=token_url)
        except ValidationError:
            document.note(f"Tokens come from {token_url[:120]!r}, where the broker fetches none.")
    yield Bearer()
