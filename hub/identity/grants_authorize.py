"""Authorization requests: what a client may ask a person for, checked before anybody is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from hub.core.ids import new_id
from hub.identity.clients import Client, find_client
from hub.identity.grants import AuthorizationServer, OAuthError, scopes_within
from hub.identity.key_binding import is_thumbprint
from hub.identity.principals import PrincipalKind
from hub.identity.proof_keys import is_challenge
from hub.identity.redirects import answer_uri, resolve_redirect_uri
from hub.identity.resources import may_use, server_of
from hub.identity.tables import AuthorizationRequestRow
from hub.storage import Tx, now

REQUEST_LIFETIME: Final = timedelta(minutes=10)
MAX_STATE_LENGTH: Final = 2000
_UNREGISTERED: Final = (
    "This redirect_uri is not registered for the agent, letter by letter; only the port of http://127.0.0.1, http://[::1]"
    " and http://localhost may differ."
)
TARGET_HINT: Final = "resource has to be the URL of one server of this hub that the client is allowed to use."


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationQuery:
    """The parameters of a request to the authorization endpoint, and which of them came more than once."""

    values: Mapping[str, str]
    repeated: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Nothing stands against asking a person; nothing is on record."""

    values: Mapping[str, str]
    client: Client
    redirect_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The request is on record; a person answers it at the consent page."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedBack:
    """The client is known and learns at its own address what was wrong."""

    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswerable:
    """Nobody can be trusted to be told by redirect; whoever sits at the browser reads why."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    error: OAuthError
    description: str


async def begin_authorization(
    tx: Tx, server: AuthorizationServer, query: AuthorizationQuery
) -> Asked | TurnedBack | Unanswerable:
    """Check a request to the authorization endpoint and, if it is sound, put it on record: for somebody known here."""
    checked = await check_authorization(tx, server, query)
    return await _ask(tx, server, checked) if isinstance(checked, Sound) else checked


async def check_authorization(
    tx: Tx, server: AuthorizationServer, query: AuthorizationQuery
) -> Sound | TurnedBack | Unanswerable:
    """Check a request to the authorization endpoint; anybody may send as many as they like."""
    destination = await _destination(tx, query)
    if isinstance(destination, Unanswerable):
        return destination
    client, redirect_uri = destination
    problem = _malformed(query) or await _beyond(tx, server, query.values, client)
    if problem is None:
        return Sound(values=query.values, client=client, redirect_uri=redirect_uri)
    location = answer_uri(
        redirect_uri,
        error=problem.error.value,
        error_description=problem.description,
        state=query.values.get("state"),
        iss=server.issuer,
    )
    return TurnedBack(location=location)


async def _destination(tx: Tx, query: AuthorizationQuery) -> tuple[Client, str] | Unanswerable:
    if not query.repeated.isdisjoint({"client_id", "redirect_uri"}):
        return Unanswerable(message="client_id and redirect_uri may be sent once only.")
    client = await find_client(tx, query.values.get("client_id", ""))
    if client is None or client.principal.is_suspended or client.principal.kind is not PrincipalKind.AGENT:
        return Unanswerable(message="No agent is registered here under this client_id.")
    redirect_uri = resolve_redirect_uri(client.redirect_uris, query.values.get("redirect_uri"))
    if redirect_uri is None:
        return Unanswerable(message=_UNREGISTERED)
    return client, redirect_uri


def _malformed(query: AuthorizationQuery) -> _Problem | None:
    values = query.values
    if query.repeated:
        return _bad(f"{', '.join(sorted(query.repeated))} may be sent once only.")
    if values.get("response_type") != "code":
        return _Problem(error=OAuthError.UNSUPPORTED_RESPONSE_TYPE, description="response_type has to be code.")
    if values.get("response_mode", "query") != "query":
        return _bad("response_mode can only be query.")
    if not {"request", "request_uri"}.isdisjoint(values):
        return _bad("Request objects are not supported; send plain parameters.")
    if len(values.get("state", "")) > MAX_STATE_LENGTH:
        return _bad(f"state is longer than {MAX_STATE_LENGTH} characters.")
    return _unsound_keys(values)


def _unsound_keys(values: Mapping[str, str]) -> _Problem | None:
    if "dpop_jkt" in values and not is_thumbprint(values["dpop_jkt"]):
        return _bad("dpop_jkt is the SHA-256 thumbprint of the key (RFC 7638), in base64url: 43 characters.")
    # RFC 7636 lets a missing method mean "plain", which protects nothing that passes through the browser.
    if values.get("code_challenge_method") != "S256":
        return _bad("PKCE is required: send code_challenge_method=S256.")
    if not is_challenge(values.get("code_challenge", "")):
        return _bad("PKCE is required: code_challenge is the base64url SHA-256 of the verifier, 43 characters.")
    return None


async def _beyond(tx: Tx, server: AuthorizationServer, values: Mapping[str, str], client: Client) -> _Problem | None:
    name = await allowed_server(tx, server, client, values.get("resource"))
    if name is None:
        return _Problem(error=OAuthError.INVALID_TARGET, description=TARGET_HINT)
    if not scopes_within(values.get("scope"), client.principal.allowed_scopes):
        return _Problem(error=OAuthError.INVALID_SCOPE, description="The agent may have none of these scopes.")
    return None


async def allowed_server(tx: Tx, server: AuthorizationServer, client: Client, resource: str | None) -> str | None:
    """Return the name of the published server behind `resource`, if the client may have tokens for it."""
    name = server_of(resource or "", server.public_url)
    if name is None or not may_use(client.principal.usable_servers, name):
        return None
    return name if await server.is_server(tx, name) else None


async def _ask(tx: Tx, server: AuthorizationServer, sound: Sound) -> Asked:
    client, values = sound.client, sound.values
    resource = values["resource"]
    row = AuthorizationRequestRow(
        id=new_id("azr"),
        issuer=server.issuer,
        client_id=client.principal.id,
        redirect_uri=sound.redirect_uri,
        state=values.get("state"),
        code_challenge=values["code_challenge"],
        scopes=sorted(scopes_within(values.get("scope"), client.principal.allowed_scopes)),
        resource=resource,
        server=server_of(resource, server.public_url) or "",
        expires_at=await now(tx) + REQUEST_LIFETIME,
        key_thumbprint=values.get("dpop_jkt"),
    )
    tx.add(row)
    await tx.flush()
    return Asked(request_id=row.id)


def _bad(description: str) -> _Problem:
    return _Problem(error=OAuthError.INVALID_REQUEST, description=description)
