"""Tokens already issued, found by their value: whether one is still good, and the end of the grant it stands on."""

from dataclasses import dataclass
from datetime import datetime

from hub.core.errors import Unauthenticated
from hub.identity.access_tokens import AccessToken, UnknownKey, read_access_token
from hub.identity.clients import Client
from hub.identity.directory import get_many
from hub.identity.grants import BY_ITS_CLIENT, AuthorizationServer, revoke_grant
from hub.identity.grants_authorize import allowed_server
from hub.identity.principals import PrincipalKind
from hub.identity.resources import may_use, server_of
from hub.identity.secrets import hash_secret
from hub.identity.tables import GrantRow, RefreshTokenRow
from hub.identity.tokens import caller_of
from hub.storage import Tx, now


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveToken:
    """A token that is good now; only an access token has an id."""

    id: str | None
    client_id: str
    user_id: str | None
    scopes: frozenset[str]
    resource: str
    issued_at: datetime
    expires_at: datetime
    actors: tuple[str, ...] = ()
    key_thumbprint: str | None = None
    """Of the key that an access token is bound to, if it is."""


async def live_token(tx: Tx, server: AuthorizationServer, asking: Client, value: str) -> LiveToken | None:
    """Return what a token stands for now, or None: not good, none of ours, or none of the asking client's business.

    A client may ask about its own tokens, and a service about access tokens for the servers it may use itself.
    """
    said = await readable_token(server, value)
    found = await _live_refresh(tx, server, asking, value) if said is None else await live_access(tx, server, said)
    if found is None or not _may_know(server, asking, found):
        return None
    return found


async def end_grant_of(tx: Tx, server: AuthorizationServer, client: Client, value: str) -> None:
    """Revoke the grant that a token of this client stands on, and with it every token of the same family.

    One that is unknown, over or another client's changes nothing: whoever guesses learns nothing.
    """
    said = await readable_token(server, value)
    row = await tx.get(RefreshTokenRow, hash_secret(value)) if said is None else None
    grant_id = said.grant_id if said is not None else row.grant_id if row is not None else None
    grant = await tx.get(GrantRow, grant_id) if grant_id is not None else None
    if grant is not None and grant.client_id == client.principal.id:
        await revoke_grant(tx, grant.id, BY_ITS_CLIENT, server.authority(client.principal.id))


async def readable_token(server: AuthorizationServer, value: str) -> AccessToken | None:
    """Return what an access token of this hub says, whether or not it still counts; None if it is none."""
    try:
        return read_access_token(value, server.keys)
    except UnknownKey:
        await server.keys.reload()  # another process may have made a newer key; only known clients come this far
    except Unauthenticated:
        return None
    try:
        return read_access_token(value, server.keys)
    except Unauthenticated:
        return None


async def live_access(tx: Tx, server: AuthorizationServer, said: AccessToken) -> LiveToken | None:
    """Return what an access token stands for now, or None: it is over, or its grant, its client or its person is."""
    at = await now(tx)
    if said.issuer != server.issuer or not (said.not_before or said.issued_at) <= at < said.expires_at:
        return None
    try:
        caller = await caller_of(tx, said, server_of(said.resource, server.public_url))
    except Unauthenticated:
        return None
    return LiveToken(
        id=said.id,
        client_id=said.client_id,
        user_id=said.user_id,
        scopes=caller.scopes,
        resource=said.resource,
        issued_at=said.issued_at,
        expires_at=said.expires_at,
        actors=said.actors,
        key_thumbprint=said.key_thumbprint,
    )


async def _live_refresh(tx: Tx, server: AuthorizationServer, asking: Client, value: str) -> LiveToken | None:
    """Return what a refresh token of the asking client stands for now, or None: over, no good, or another client's."""
    row = await tx.get(RefreshTokenRow, hash_secret(value))
    grant = await tx.get(GrantRow, row.grant_id) if row is not None else None
    if row is None or grant is None or row.used_at is not None or grant.revoked_at is not None:
        return None
    expires_at = min(row.expires_at, grant.expires_at)
    people = await get_many(tx, [one for one in (grant.client_id, grant.user_id) if one is not None])
    if expires_at <= await now(tx) or any(one.is_suspended for one in people.values()):
        return None
    scopes = frozenset(grant.scopes) & asking.principal.allowed_scopes
    if grant.client_id != asking.principal.id or not scopes:
        return None
    if await allowed_server(tx, server, asking, grant.resource) is None:  # it would give nothing any more
        return None
    return LiveToken(
        id=None,
        client_id=grant.client_id,
        user_id=grant.user_id,
        scopes=scopes,
        resource=grant.resource,
        issued_at=row.created_at,
        expires_at=expires_at,
    )


def _may_know(server: AuthorizationServer, asking: Client, found: LiveToken) -> bool:
    principal = asking.principal
    if found.client_id == principal.id:
        return True
    name = server_of(found.resource, server.public_url)
    return principal.kind is PrincipalKind.SERVICE and name is not None and may_use(principal.usable_servers, name)
