"""Grants: the permission a family of tokens stands on, the tokens issued under it, and their end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, func, or_, select, update

from hub.audit import EventKind
from hub.core.ids import new_id
from hub.identity.access_tokens import AccessToken, mint
from hub.identity.authority import Authority
from hub.identity.client_documents import ClientDocuments
from hub.identity.directory import get
from hub.identity.foreign_tokens import ForeignIssuers
from hub.identity.leave_ends import end_leave
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.scopes import parse_scopes, scope_text
from hub.identity.secrets import hash_secret, new_secret
from hub.identity.tables import AuthorizationCodeRow, ClientRow, ConsentRow, GrantRow, RefreshTokenRow
from hub.keys import Keyring
from hub.storage import Database, Tx, now

ACCESS_TOKEN_LIFETIME: Final = timedelta(minutes=10)
REFRESH_TOKEN_LIFETIME: Final = timedelta(days=14)
GRANT_LIFETIME: Final = timedelta(days=90)
"""However often it is refreshed: after this the person is asked again."""

EXCHANGED: Final = "token_exchange"
"""The kind of a grant that was made from another one's token."""
BY_ITS_CLIENT: Final = "revoked by its client"
NARROWED: Final = "the person allows none of it any more"
"""Why a grant was revoked, where nothing is said by that of what its client had asked for before."""


class OAuthError(StrEnum):
    """The error codes of RFC 6749 sections 4.1.2.1 and 5.2, of RFC 8707 section 2 and of RFC 9449 section 5."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    INVALID_SCOPE = "invalid_scope"
    INVALID_TARGET = "invalid_target"
    ACCESS_DENIED = "access_denied"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServer:
    """What the embedded authorization server works with; `is_server` knows which servers are published."""

    database: Database
    keys: Keyring
    public_url: str
    is_server: Callable[[Tx, str], Awaitable[bool]]
    issuers: ForeignIssuers = field(default_factory=ForeignIssuers)
    """The external issuers whose tokens may be exchanged, as far as theirs are taken at all."""

    documents: ClientDocuments | None = None
    """How clients are read that are known by their metadata documents."""

    @property
    def issuer(self) -> str:
        """The issuer identifier (RFC 8414 section 2): the hub's public URL without a trailing slash."""
        return self.public_url.rstrip("/")

    def authority(self, by: str) -> Authority:
        """Return the authority of the client or person that something is done for."""
        return Authority(database=self.database, keys=self.keys, by=by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """Tokens at the one moment when their values are known."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lifetime: timedelta
    scopes: frozenset[str]
    is_exchanged: bool = False
    is_bound: bool = False
    """Whether it counts only with a proof that its key is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why no token was issued. A value, not an exception: what the attempt revoked has to be committed."""

    error: OAuthError
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrant:
    """What a client was permitted, by whom, and for how long."""

    kind: str
    client: Principal
    user_id: str | None
    scopes: frozenset[str]
    resource: str
    server: str
    authenticated_at: datetime | None
    lifetime: timedelta
    parent_id: str | None = None
    actors: tuple[str, ...] = ()
    issuer: str | None = None
    key_thumbprint: str | None = None


def scopes_within(requested: str | None, allowed: frozenset[str]) -> frozenset[str]:
    """Return what of the requested scopes the client may have; all it may have if it did not say.

    Clients ask for every scope that a server's metadata lists, so what is beyond the client's bounds is left out
    (RFC 6749 section 3.3) and the answer says what it got; that nothing is left is the caller's to refuse.
    """
    return allowed if requested is None else parse_scopes(requested) & allowed


async def hold_word_of(tx: Tx, database: Database, user_id: str) -> None:
    """Let nothing that a person has said be taken back until `tx` ends; to be called before any of it is looked at.

    Whoever opens a grant on a person's word calls it. Who takes the word back waits for the grant, and then finds it;
    or was first, and then it is this one that waits, and finds what is left of the word.
    """
    await database.lock(tx, _word_of(user_id), shared=True)


async def open_grant(tx: Tx, new: NewGrant) -> GrantRow:
    """Put a grant on record; one on a person's word while that is held (`hold_word_of`)."""
    at = await now(tx)
    grant = GrantRow(
        id=new_id("grt"),
        kind=new.kind,
        client_id=new.client.id,
        user_id=new.user_id,
        scopes=sorted(new.scopes),
        resource=new.resource,
        server=new.server,
        authenticated_at=new.authenticated_at,
        created_at=at,
        expires_at=at + new.lifetime,
        parent_id=new.parent_id,
        actors=list(new.actors),
        issuer=new.issuer,
        key_thumbprint=new.key_thumbprint,
    )
    tx.add(grant)
    await tx.flush()
    return grant


async def issue(
    tx: Tx, server: AuthorizationServer, grant: GrantRow, scopes: frozenset[str], *, with_refresh: bool
) -> Issued:
    """Issue an access token under `grant` and, with it, a refresh token that may be used once."""
    at = await now(tx)
    # What is over cannot be taken back: no token outlives its grant, and an exchanged one not what it was made from.
    expires_at = min(at + ACCESS_TOKEN_LIFETIME, grant.expires_at)
    version = (await get(tx, grant.client_id)).agent_version
    unused = (ClientRow.principal_id == grant.client_id, ClientRow.is_newcomer, ClientRow.used_at.is_(None))
    await tx.execute(update(ClientRow).where(*unused).values(used_at=at))
    token = AccessToken(
        id=new_id("tok"),
        issuer=server.issuer,
        grant_id=grant.id,
        client_id=grant.client_id,
        agent_version=version,
        user_id=grant.user_id,
        scopes=scopes,
        resource=grant.resource,
        issued_at=at,
        expires_at=expires_at,
        authenticated_at=grant.authenticated_at,
        actors=tuple(grant.actors),
        key_thumbprint=grant.key_thumbprint,
    )
    refresh_token = await _new_refresh_token(tx, grant, at) if with_refresh else None
    await server.authority(grant.client_id).record(
        tx,
        EventKind.TOKEN_ISSUED,
        grant.id,
        token=token.id,
        grant_type=grant.kind,
        client=grant.client_id,
        user=grant.user_id,
        scope=scope_text(scopes),
        resource=grant.resource,
        agent_version=str(version),
        actors=list(grant.actors),
        bound_to=grant.key_thumbprint,
    )
    return Issued(
        access_token=mint(token, server.keys),
        refresh_token=refresh_token,
        lifetime=expires_at - at,
        scopes=scopes,
        is_bound=grant.key_thumbprint is not None,
    )


async def revoke_grant(tx: Tx, grant_id: str, reason: str, authority: Authority) -> bool:
    """Stop every token of a grant at once; return whether it still stood. By that alone no leave ends."""
    return await _revoke(tx, GrantRow.id == grant_id, reason, authority) > 0


async def revoke_stolen(tx: Tx, grant_id: str, what: str, authority: Authority) -> None:
    """Stop every token of a grant of which `what` was used twice; the leave ends that its client had from its person.

    Whoever stole it may have been the first to use it, and may have revoked or outlived the grant since, which hides
    nothing. Once that is on record, using it again says nothing more.
    """
    reason, unsaid = f"{what} used twice", or_(GrantRow.revoked_at.is_(None), GrantRow.revoked_reason == BY_ITS_CLIENT)
    both = select(GrantRow.user_id, GrantRow.client_id).where(GrantRow.id == grant_id, unsaid).with_for_update()
    found = (await tx.execute(both)).one_or_none()
    await _revoke(tx, GrantRow.id == grant_id, reason, authority)
    if found is None:
        return
    ended = {"revoked_at": func.coalesce(GrantRow.revoked_at, await now(tx)), "revoked_reason": reason}
    await tx.execute(update(GrantRow).where(GrantRow.id == grant_id).values(ended))
    if found.user_id is not None:
        await end_leave(tx, user_id=found.user_id, client_id=found.client_id)


async def revoke_grants_of(tx: Tx, principal_id: str, reason: str, authority: Authority) -> int:
    """Stop every token that a principal holds and every token that others hold for it; return how many grants.

    All leave ends with them that it had from others, or that others had from it.
    A code that nobody has redeemed yet would become tokens a moment later: it has expired from now on.
    """
    await authority.database.lock(tx, _word_of(principal_id))
    codes = or_(AuthorizationCodeRow.client_id == principal_id, AuthorizationCodeRow.user_id == principal_id)
    unused = update(AuthorizationCodeRow).where(codes, AuthorizationCodeRow.used_at.is_(None))
    await tx.execute(unused.values(expires_at=await now(tx)))
    theirs = or_(GrantRow.client_id == principal_id, GrantRow.user_id == principal_id)
    stopped = await _revoke(tx, theirs, reason, authority)
    is_person = (await get(tx, principal_id)).kind is PrincipalKind.USER
    await (end_leave(tx, user_id=principal_id) if is_person else end_leave(tx, client_id=principal_id))
    return stopped


async def revoke_grants_between(tx: Tx, *, user_id: str, client_id: str, reason: str, authority: Authority) -> int:
    """End the leave of a client to act for one person, with every token it holds; return how many grants there were."""
    await authority.database.lock(tx, _word_of(user_id))
    both = (GrantRow.client_id == client_id) & (GrantRow.user_id == user_id)
    stopped = await _revoke(tx, both, reason, authority)
    await end_leave(tx, user_id=user_id, client_id=client_id)
    return stopped


async def revoke_grants_from(tx: Tx, *, user_id: str, issuer: str, reason: str, authority: Authority) -> int:
    """Stop every token for one person that stands on an external issuer's word; return how many grants there were."""
    await authority.database.lock(tx, _word_of(user_id))
    theirs = (GrantRow.user_id == user_id) & (GrantRow.issuer == issuer)
    return await _revoke(tx, theirs, reason, authority)


async def narrow_grants_to(tx: Tx, consent: ConsentRow, authority: Authority) -> None:
    """Leave of what a client holds for one person at one server what the person has agreed to now, and nothing else."""
    await authority.database.lock(tx, _word_of(consent.user_id))
    both = (GrantRow.client_id == consent.client_id) & (GrantRow.user_id == consent.user_id)
    await _narrow(tx, both & (GrantRow.resource == consent.resource), frozenset(consent.scopes), authority)


async def _narrow(tx: Tx, which: ColumnElement[bool], scopes: frozenset[str], authority: Authority) -> None:
    """Narrow grants, and those that came of their tokens by exchange; what is left without any scope ends."""
    standing = (GrantRow.revoked_at.is_(None), GrantRow.expires_at > await now(tx))
    while True:  # one generation after the other, however many there are
        rows = await tx.scalars(select(GrantRow).where(which, *standing))
        wider = [row for row in rows if not scopes.issuperset(row.scopes)]
        if not wider:
            return await authority.outdate_callers(tx)
        for row in wider:
            left = scopes.intersection(row.scopes)
            if left:
                row.scopes = sorted(left)
            else:
                await _stop(tx, GrantRow.id == row.id, NARROWED, authority)
        await tx.flush()
        which = GrantRow.parent_id.in_([row.id for row in wider])


async def _revoke(tx: Tx, which: ColumnElement[bool], reason: str, authority: Authority) -> int:
    """Revoke grants, and those that came of their tokens by exchange; return how many there were of the former."""
    stopped = await _stop(tx, which, reason, authority)
    await authority.outdate_callers(tx)  # after all grants, so that no two wait for each other
    return stopped


async def _stop(tx: Tx, which: ColumnElement[bool], reason: str, authority: Authority) -> int:
    """Do as `_revoke` does, for somebody who outdates callers afterwards.

    An agent may exchange its own tokens as often as it likes: nothing here depends on how long such a chain is.
    """
    at, first = await now(tx), None
    while True:  # one generation after the other: each sees what came of the one before while it was waited for
        revoked = await tx.scalars(
            update(GrantRow)
            .where(which, GrantRow.revoked_at.is_(None), GrantRow.expires_at > at)
            .values(revoked_at=at, revoked_reason=reason)
            .returning(GrantRow.id)
        )
        grant_ids = revoked.all()
        first = len(grant_ids) if first is None else first
        if not grant_ids:
            return first
        for grant_id in grant_ids:
            await authority.record(tx, EventKind.TOKEN_REVOKED, grant_id, reason=reason)
        which = GrantRow.parent_id.in_(grant_ids)


async def _new_refresh_token(tx: Tx, grant: GrantRow, at: datetime) -> str:
    value = new_secret("thr")
    expires_at = min(at + REFRESH_TOKEN_LIFETIME, grant.expires_at)
    tx.add(RefreshTokenRow(hash=hash_secret(value), grant_id=grant.id, created_at=at, expires_at=expires_at))
    await tx.flush()
    return value


def _word_of(user_id: str) -> str:
    return f"what {user_id} allows"
