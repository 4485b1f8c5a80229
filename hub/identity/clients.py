"""Agents and services as OAuth clients: what they may ever hold, and the secrets by which they prove who they are."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import delete, select, update

from hub.audit import EventKind
from hub.core.errors import InputError, NotFound
from hub.core.ids import new_id
from hub.core.texts import shown
from hub.identity.assertions import Assertion, check_keys, is_proven, thumbprint_of
from hub.identity.authority import Authority
from hub.identity.declarations import declare
from hub.identity.directory import get, is_plain
from hub.identity.enrolment import check_name, enrol
from hub.identity.owners import check_owner
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.redirects import check_redirect_uri
from hub.identity.scopes import are_scopes
from hub.identity.secrets import hash_secret, new_secret
from hub.identity.tables import (
    AuthorizationCodeRow,
    AuthorizationRequestRow,
    ClientDocumentRow,
    ClientRow,
    ClientSecretRow,
)
from hub.storage import Tx, now

SECRET_LIFETIME: Final = timedelta(days=90)
MOST_REDIRECTS: Final = 20
MAX_SECRET_LIFETIME: Final = timedelta(days=366)


class ClientAuthentication(StrEnum):
    """How a client proves who it is: by a secret, by a key of its own or, if it can keep neither, by PKCE alone."""

    SECRET = "client_secret"  # noqa: S105  # the method's name, not a secret
    KEY = "private_key_jwt"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgent:
    """An agent to register: what its tokens may ever hold, at which servers, and where its codes may be sent."""

    name: str
    display_name: str
    owner_id: str
    allowed_scopes: frozenset[str] = frozenset()
    allowed_servers: frozenset[str] = frozenset()
    redirect_uris: tuple[str, ...] = ()
    authentication: ClientAuthentication = ClientAuthentication.SECRET
    jwks: Mapping[str, Any] | None = None
    is_newcomer: bool = False
    needs_bound_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewService:
    """A service to register: a program that acts for nobody and answers to its owner."""

    name: str
    display_name: str
    owner_id: str
    allowed_scopes: frozenset[str] = frozenset()
    allowed_servers: frozenset[str] = frozenset()
    authentication: ClientAuthentication = ClientAuthentication.SECRET
    jwks: Mapping[str, Any] | None = None
    needs_bound_tokens: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An agent or a service as the authorization server sees it; `jwks` has its public keys, if it proves by one."""

    principal: Principal
    redirect_uris: tuple[str, ...]
    authentication: ClientAuthentication
    jwks: Mapping[str, Any] | None = None
    is_newcomer: bool = False
    holds_key: str | None = None
    """The thumbprint of the key that it has proved to hold with this very request; its tokens are bound to that key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A client secret at the one moment when its value is known."""

    id: str
    value: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProof:
    """What a client presented: its id and, by the method it chose, its secret or an assertion for `audiences`."""

    client_id: str
    method: str
    secret: str = field(default="", repr=False)
    audiences: frozenset[str] = frozenset()


async def create_agent(tx: Tx, new: NewAgent, authority: Authority) -> Principal:
    """Register an agent and return its principal, whose id is its `client_id`; issue it a secret next.

    Raises:
        InputError: the name, the owner, a scope, a server or a redirect URI will not do.
        Conflict: the name is taken.
    """
    return await _register(tx, PrincipalKind.AGENT, new, authority)


async def create_service(tx: Tx, new: NewService, authority: Authority) -> Principal:
    """Register a service and return its principal; otherwise like `create_agent`."""
    agent = NewAgent(
        name=new.name,
        display_name=new.display_name,
        owner_id=new.owner_id,
        allowed_scopes=new.allowed_scopes,
        allowed_servers=new.allowed_servers,
        authentication=new.authentication,
        jwks=new.jwks,
        needs_bound_tokens=new.needs_bound_tokens,
    )
    return await _register(tx, PrincipalKind.SERVICE, agent, authority)


async def find_client(tx: Tx, client_id: str) -> Client | None:
    """Return the client with this id, or with a metadata document at this URL, suspended or not, or None."""
    if not is_plain(client_id):
        return None
    by_url = select(ClientDocumentRow.principal_id).where(ClientDocumentRow.url == client_id)
    row = await tx.get(ClientRow, await tx.scalar(by_url) or client_id if "/" in client_id else client_id)
    if row is None:
        return None
    return Client(
        principal=await get(tx, row.principal_id),
        redirect_uris=tuple(row.redirect_uris),
        authentication=ClientAuthentication(row.authentication),
        jwks=row.jwks,
        is_newcomer=row.is_newcomer,
    )


async def limit_client(
    tx: Tx, client_id: str, *, scopes: frozenset[str], servers: frozenset[str], authority: Authority
) -> Principal:
    """Set what the client's tokens may ever hold and where; those already out are narrowed at once.

    Raises:
        NotFound: there is no such client.
        InputError: a scope or a server will not do.
    """
    _check_bounds(scopes, servers)
    row = await tx.get(ClientRow, client_id, populate_existing=True, with_for_update=True)
    if row is None:
        raise NotFound(f"There is no client {client_id!r}.")
    row.allowed_scopes, row.allowed_servers = sorted(scopes), sorted(servers)
    await tx.flush()
    await declare(tx, row, authority)
    await authority.record(tx, EventKind.AGENT_CHANGED, client_id, scopes=sorted(scopes), servers=sorted(servers))
    await authority.outdate_callers(tx)
    return await get(tx, client_id)


async def set_redirects(tx: Tx, client_id: str, uris: tuple[str, ...], authority: Authority) -> tuple[str, ...]:
    """Set where the client's codes may be sent, and return it; logins through it that wait for an answer begin anew.

    Raises:
        InputError: an address will not do, or there are too many.
        NotFound: there is no such client.
    """
    if len(uris) > MOST_REDIRECTS:
        raise InputError(f"A client has at most {MOST_REDIRECTS} redirect addresses.")
    for uri in uris:
        check_redirect_uri(uri)
    wanted = tuple(dict.fromkeys(uris))
    row = await tx.get(ClientRow, client_id, populate_existing=True, with_for_update=True)
    if row is None:
        raise NotFound(f"There is no client {client_id!r}.")
    row.redirect_uris = list(wanted)
    await tx.flush()
    await declare(tx, row, authority)
    await begin_logins_anew(tx, client_id)
    await authority.record(tx, EventKind.AGENT_CHANGED, client_id, changed="redirect addresses", redirects=wanted)
    await authority.outdate_callers(tx)
    return wanted


async def set_binding(tx: Tx, client_id: str, authority: Authority, *, is_needed: bool) -> Principal:
    """Say whether only tokens of the client count that are bound to a key of its own; the others stop at once.

    Raises:
        NotFound: there is no such client.
    """
    changed = update(ClientRow).where(ClientRow.principal_id == client_id).values(needs_bound_tokens=is_needed)
    if await tx.scalar(changed.returning(ClientRow.principal_id)) is None:
        raise NotFound(f"There is no client {client_id!r}.")
    said = "only bound tokens" if is_needed else "bearer tokens, too"
    await authority.record(tx, EventKind.AGENT_CHANGED, client_id, changed=said)
    await authority.outdate_callers(tx)
    return await get(tx, client_id)


async def begin_logins_anew(tx: Tx, client_id: str) -> None:
    """Forget the logins through a client that wait for an answer, and end its codes that nobody has redeemed."""
    await tx.execute(delete(AuthorizationRequestRow).where(AuthorizationRequestRow.client_id == client_id))
    unused = (AuthorizationCodeRow.client_id == client_id, AuthorizationCodeRow.used_at.is_(None))
    await tx.execute(update(AuthorizationCodeRow).where(*unused).values(expires_at=await now(tx)))


async def issue_secret(
    tx: Tx, client_id: str, authority: Authority, *, lifetime: timedelta = SECRET_LIFETIME
) -> NewSecret:
    """Give a client one more secret, valid beside those it has, and return it; its value is never seen again.

    Raises:
        NotFound: there is no such client.
        InputError: the client has no use for secrets, or the lifetime is beyond a year.
    """
    client = await find_client(tx, client_id)
    if client is None:
        raise NotFound(f"There is no client {client_id!r}.")
    if client.authentication is not ClientAuthentication.SECRET:
        raise InputError("This client proves itself otherwise, by PKCE or a key, and has no secret.")
    if not timedelta() < lifetime <= MAX_SECRET_LIFETIME:
        raise InputError(f"A secret lives for up to {MAX_SECRET_LIFETIME.days} days.")
    at = await now(tx)
    secret = NewSecret(id=new_id("sec"), value=new_secret("thc"), expires_at=at + lifetime)
    tx.add(
        ClientSecretRow(
            id=secret.id,
            principal_id=client_id,
            hash=hash_secret(secret.value),
            created_at=at,
            expires_at=secret.expires_at,
        )
    )
    await tx.flush()
    await authority.record(tx, EventKind.AGENT_CHANGED, client_id, changed="secret issued", secret=secret.id)
    return secret


async def revoke_secret(tx: Tx, client_id: str, secret_id: str, authority: Authority) -> None:
    """Make one secret of a client useless; tokens already issued live on until they expire or their grant is revoked.

    Raises:
        NotFound: the client has no such secret that is still good.
    """
    revoked = await tx.scalar(
        update(ClientSecretRow)
        .where(
            ClientSecretRow.id == secret_id,
            ClientSecretRow.principal_id == client_id,
            ClientSecretRow.revoked_at.is_(None),
        )
        .values(revoked_at=await now(tx))
        .returning(ClientSecretRow.id)
    )
    if revoked is None:
        raise NotFound(f"The client {client_id!r} has no secret {secret_id!r}.")
    await authority.record(tx, EventKind.AGENT_CHANGED, client_id, changed="secret revoked", secret=secret_id)


async def set_client_keys(tx: Tx, client_id: str, jwks: Mapping[str, Any], authority: Authority) -> None:
    """Exchange the public keys by which a client proves itself; send old and new ones together to rotate.

    Raises:
        NotFound: there is no such client.
        InputError: the client proves itself otherwise, or a key will not do.
    """
    client = await find_client(tx, client_id)
    if client is None:
        raise NotFound(f"There is no client {client_id!r}.")
    if client.authentication is not ClientAuthentication.KEY:
        raise InputError("This client proves itself otherwise, by PKCE or a secret, and has no keys.")
    checked = check_keys(jwks)
    await tx.execute(update(ClientRow).where(ClientRow.principal_id == client_id).values(jwks=checked))
    thumbprints = [thumbprint_of(one) for one in checked["keys"]]
    await authority.record(tx, EventKind.AGENT_CHANGED, client_id, changed="keys set", keys=thumbprints)


async def authenticate_client(tx: Tx, proof: ClientProof) -> Client | None:
    """Return the client that `proof` proves, or None: unknown, suspended, or the proof does not hold."""
    client = await find_client(tx, proof.client_id)
    check = AUTHENTICATION_METHODS.get(proof.method)
    if client is None or check is None or client.principal.is_suspended:
        return None
    return client if await check(tx, client, proof) else None


async def _has_secret(tx: Tx, client: Client, proof: ClientProof) -> bool:
    if client.authentication is not ClientAuthentication.SECRET:
        return False
    # A lookup by hash leaks no more than whether 256 random bits were guessed.
    query = select(ClientSecretRow.id).where(
        ClientSecretRow.principal_id == client.principal.id,
        ClientSecretRow.hash == hash_secret(proof.secret),
        ClientSecretRow.revoked_at.is_(None),
        ClientSecretRow.expires_at > await now(tx),
    )
    return (await tx.scalar(query.limit(1))) is not None


async def _has_signed(tx: Tx, client: Client, proof: ClientProof) -> bool:
    if client.authentication is not ClientAuthentication.KEY or client.jwks is None:
        return False
    assertion = Assertion(text=proof.secret, client_id=proof.client_id, audiences=proof.audiences)
    return await is_proven(tx, client.jwks, assertion)


async def _is_public(_tx: Tx, client: Client, _proof: ClientProof) -> bool:
    return client.authentication is ClientAuthentication.NONE


AUTHENTICATION_METHODS: Final[Mapping[str, Callable[[Tx, Client, ClientProof], Awaitable[bool]]]] = {
    "client_secret_basic": _has_secret,
    "client_secret_post": _has_secret,
    "none": _is_public,
    "private_key_jwt": _has_signed,
}
"""How clients may prove themselves at the token endpoint, by the names of RFC 7591."""


async def _register(tx: Tx, kind: PrincipalKind, new: NewAgent, authority: Authority) -> Principal:
    _check_bounds(new.allowed_scopes, new.allowed_servers)
    keys = _keys_of(new)
    for uri in new.redirect_uris:
        check_redirect_uri(uri)
    await check_owner(tx, new.owner_id, of=new.name)
    client_id = await enrol(tx, kind=kind, name=new.name, display_name=new.display_name, owner_id=new.owner_id)
    row = ClientRow(
        principal_id=client_id,
        allowed_scopes=sorted(new.allowed_scopes),
        allowed_servers=sorted(new.allowed_servers),
        redirect_uris=list(new.redirect_uris),
        authentication=new.authentication.value,
        jwks=keys,
        model="",
        prompt="",
        version=0,
        is_newcomer=new.is_newcomer,
        needs_bound_tokens=new.needs_bound_tokens,
    )
    tx.add(row)
    await tx.flush()
    await authority.record(
        tx,
        EventKind.AGENT_CREATED,
        client_id,
        name=new.name,
        owner=new.owner_id,
        scopes=sorted(new.allowed_scopes),
        servers=sorted(new.allowed_servers),
    )
    await declare(tx, row, authority)
    return await get(tx, client_id)


def _keys_of(new: NewAgent) -> dict[str, Any] | None:
    if (new.authentication is ClientAuthentication.KEY) != (new.jwks is not None):
        raise InputError("A client that proves itself by private_key_jwt comes with its public keys, no other does.")
    return None if new.jwks is None else check_keys(new.jwks)


def _check_bounds(scopes: frozenset[str], servers: frozenset[str]) -> None:
    wrong = next((scope for scope in sorted(scopes) if not are_scopes(frozenset({scope}))), None)
    if wrong is not None:
        raise InputError(f"{shown(wrong)} is no scope; a scope is CONNECTOR:read, CONNECTOR:write or tool:NAME.")
    for server in servers:
        check_name(server)
