"""The grant types of the token endpoint, as a table: what each takes, checks, and issues."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from hub.audit import EventKind
from hub.identity.clients import Client, ClientAuthentication
from hub.identity.grants import (
    ACCESS_TOKEN_LIFETIME,
    BY_ITS_CLIENT,
    GRANT_LIFETIME,
    AuthorizationServer,
    Issued,
    NewGrant,
    OAuthError,
    Refused,
    hold_word_of,
    issue,
    open_grant,
    revoke_stolen,
    scopes_within,
)
from hub.identity.grants_assertion import JWT_BEARER, redeem_assertion
from hub.identity.grants_authorize import TARGET_HINT, allowed_server
from hub.identity.grants_consent import consented
from hub.identity.grants_exchange import TOKEN_EXCHANGE, exchange_token
from hub.identity.proof_keys import proves
from hub.identity.secrets import hash_secret
from hub.identity.tables import AuthorizationCodeRow, GrantRow, RefreshTokenRow
from hub.storage import Tx, now

Parameters = Mapping[str, str]
Outcome = Issued | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantType:
    """One way to get tokens: the parameters it cannot do without, and how it answers."""

    required: tuple[str, ...]
    answer: Callable[[Tx, AuthorizationServer, Client, Parameters], Awaitable[Outcome]]


async def exchange(tx: Tx, server: AuthorizationServer, client: Client, parameters: Parameters) -> Outcome:
    """Answer an authenticated client's request to the token endpoint.

    Commit `tx` whatever the outcome: a refusal may have revoked something.
    """
    name = parameters.get("grant_type")
    if name is None:
        return _refused(OAuthError.INVALID_REQUEST, "Send grant_type.")
    grant_type = GRANT_TYPES.get(name)
    if grant_type is None:
        known = ", ".join(sorted(GRANT_TYPES))
        return _refused(OAuthError.UNSUPPORTED_GRANT_TYPE, f"grant_type can be one of: {known}.")
    missing = [parameter for parameter in grant_type.required if parameter not in parameters]
    if missing:
        return _refused(OAuthError.INVALID_REQUEST, f"Send {' and '.join(missing)}.")
    if client.principal.needs_bound_tokens and client.holds_key is None:
        return _refused(OAuthError.INVALID_DPOP_PROOF, "This client has only tokens that are bound: send a DPoP proof.")
    return await grant_type.answer(tx, server, client, parameters)


async def _client_credentials(tx: Tx, server: AuthorizationServer, client: Client, parameters: Parameters) -> Outcome:
    if client.authentication is ClientAuthentication.NONE:
        return _refused(OAuthError.UNAUTHORIZED_CLIENT, "A public client cannot act for itself; ask a person first.")
    if client.is_newcomer:
        hint = "A client that nobody registered acts for people alone; ask one, or have an administrator register you."
        return _refused(OAuthError.UNAUTHORIZED_CLIENT, hint)
    resource = parameters.get("resource", "")
    name = await allowed_server(tx, server, client, resource)
    if name is None:
        return _refused(OAuthError.INVALID_TARGET, TARGET_HINT)
    scopes = scopes_within(parameters.get("scope"), client.principal.allowed_scopes)
    if not scopes:
        return _refused(OAuthError.INVALID_SCOPE, "The client may have none of these scopes.")
    grant = await open_grant(
        tx,
        NewGrant(
            kind="client_credentials",
            client=client.principal,
            user_id=None,
            scopes=scopes,
            resource=resource,
            server=name,
            authenticated_at=None,
            lifetime=ACCESS_TOKEN_LIFETIME,
            key_thumbprint=client.holds_key,
        ),
    )
    return await issue(tx, server, grant, scopes, with_refresh=False)


async def _authorization_code(tx: Tx, server: AuthorizationServer, client: Client, parameters: Parameters) -> Outcome:
    hashed = hash_secret(parameters["code"])
    user_id = await tx.scalar(select(AuthorizationCodeRow.user_id).where(AuthorizationCodeRow.hash == hashed))
    if user_id is not None:
        await hold_word_of(tx, server.database, user_id)
    # The row is locked: of two who redeem a code at the same moment, the second finds it used.
    row = await tx.get(AuthorizationCodeRow, hashed, with_for_update=True)
    if row is None or row.client_id != client.principal.id:
        return _refused(OAuthError.INVALID_GRANT, "This code is unknown.")
    if row.used_at is not None:
        return await _replayed(tx, server, client, row)
    if row.expires_at <= await now(tx):
        return _refused(OAuthError.INVALID_GRANT, "This code has expired; ask the person again.")
    mismatch = _mismatch(client, row, parameters)
    if mismatch is not None:
        return mismatch
    if await allowed_server(tx, server, client, row.resource) is None:
        return _refused(OAuthError.INVALID_GRANT, "What this code stood for is no longer allowed.")
    return await _redeem(tx, server, client, row)


def _mismatch(client: Client, row: AuthorizationCodeRow, parameters: Parameters) -> Refused | None:
    if row.key_thumbprint not in {None, client.holds_key}:
        return _refused(OAuthError.INVALID_GRANT, "This code was asked for with the dpop_jkt of another key.")
    if not proves(parameters["code_verifier"], row.code_challenge):
        return _refused(OAuthError.INVALID_GRANT, "Send the code_verifier that this code was asked for with.")
    # OAuth 2.1 no longer asks for redirect_uri here; whoever sends it has to mean the one the code went to.
    if parameters.get("redirect_uri", row.redirect_uri) != row.redirect_uri:
        return _refused(OAuthError.INVALID_GRANT, "The redirect_uri is not the one this code was sent to.")
    if parameters.get("resource", row.resource) != row.resource:
        return _refused(OAuthError.INVALID_TARGET, "The resource is not the one this code was asked for.")
    return None


async def _redeem(tx: Tx, server: AuthorizationServer, client: Client, row: AuthorizationCodeRow) -> Outcome:
    # Another answer may have been given since this code was: the latest counts alone.
    agreed = await consented(tx, user_id=row.user_id, client_id=row.client_id, resource=row.resource)
    scopes = frozenset(row.scopes) & agreed & client.principal.allowed_scopes
    if not scopes:
        return _refused(OAuthError.INVALID_SCOPE, "The client may no longer have any of these scopes.")
    row.used_at = await now(tx)
    grant = await open_grant(
        tx,
        NewGrant(
            kind="authorization_code",
            client=client.principal,
            user_id=row.user_id,
            scopes=scopes,
            resource=row.resource,
            server=row.server,
            authenticated_at=row.authenticated_at,
            lifetime=GRANT_LIFETIME,
            key_thumbprint=client.holds_key,
        ),
    )
    row.grant_id = grant.id
    return await issue(tx, server, grant, scopes, with_refresh=True)


async def _replayed(tx: Tx, server: AuthorizationServer, client: Client, row: AuthorizationCodeRow) -> Refused:
    # Two hold this code and one of them stole it; nothing says which, so all that came of it ends.
    if row.grant_id is not None:
        await _reused(tx, server, client, row.grant_id, "authorization code")
    return _refused(OAuthError.INVALID_GRANT, "This code was used before; every token it gave has been revoked.")


async def _refresh_token(tx: Tx, server: AuthorizationServer, client: Client, parameters: Parameters) -> Outcome:
    # The row is locked: of two who rotate a token at the same moment, the second finds it used.
    row = await tx.get(RefreshTokenRow, hash_secret(parameters["refresh_token"]), with_for_update=True)
    grant = None if row is None else await tx.get(GrantRow, row.grant_id)
    if row is None or grant is None or grant.client_id != client.principal.id:
        return _refused(OAuthError.INVALID_GRANT, "This refresh token is unknown.")
    if row.used_at is not None and grant.revoked_reason in {None, BY_ITS_CLIENT}:
        await _reused(tx, server, client, grant.id, "refresh token")
        return _refused(OAuthError.INVALID_GRANT, "This refresh token was used before; the grant has been revoked.")
    if grant.revoked_at is not None or min(row.expires_at, grant.expires_at) <= await now(tx):
        return _refused(OAuthError.INVALID_GRANT, "This refresh token has ended; ask the person again.")
    if await allowed_server(tx, server, client, grant.resource) is None:
        return _refused(OAuthError.INVALID_GRANT, "What this token stood for is no longer allowed.")
    scopes = _other_key(client, grant) or _renewable(client, grant, parameters)
    if isinstance(scopes, Refused):
        return scopes
    row.used_at, grant.key_thumbprint = await now(tx), client.holds_key
    return await issue(tx, server, grant, scopes, with_refresh=True)


def _other_key(client: Client, grant: GrantRow) -> Refused | None:
    """Refuse to take the binding off a family of tokens, or to pass it on.

    The refresh tokens of a client that proves nothing are bound to the key themselves; one that proves itself may come
    with a new key (RFC 9449 section 5).
    """
    if grant.key_thumbprint in {None, client.holds_key}:
        return None
    if client.holds_key is None:
        return _refused(OAuthError.INVALID_DPOP_PROOF, "What this grant gives is bound to a key: send a DPoP proof.")
    if client.authentication is not ClientAuthentication.NONE:
        return None
    return _refused(OAuthError.INVALID_GRANT, "This refresh token is bound to another key.")


def _renewable(client: Client, grant: GrantRow, parameters: Parameters) -> frozenset[str] | Refused:
    if parameters.get("resource", grant.resource) != grant.resource:
        return _refused(OAuthError.INVALID_TARGET, "A refreshed token is for the same resource as the first.")
    scopes = scopes_within(parameters.get("scope"), frozenset(grant.scopes)) & client.principal.allowed_scopes
    return scopes or _refused(OAuthError.INVALID_SCOPE, "The grant has none of these scopes.")


async def _reused(tx: Tx, server: AuthorizationServer, client: Client, grant_id: str, what: str) -> None:
    authority = server.authority(client.principal.id)
    await authority.record(tx, EventKind.TOKEN_REUSE_DETECTED, grant_id, client=client.principal.id, what=what)
    await revoke_stolen(tx, grant_id, what, authority)


def _refused(error: OAuthError, description: str) -> Refused:
    return Refused(error=error, description=description)


GRANT_TYPES: Final[Mapping[str, GrantType]] = {
    "authorization_code": GrantType(required=("code", "code_verifier"), answer=_authorization_code),
    "client_credentials": GrantType(required=(), answer=_client_credentials),
    "refresh_token": GrantType(required=("refresh_token",), answer=_refresh_token),
    JWT_BEARER: GrantType(required=("assertion",), answer=redeem_assertion),
    TOKEN_EXCHANGE: GrantType(required=("subject_token", "subject_token_type"), answer=exchange_token),
}
"""Every grant type, by the name it has in `grant_type`."""
