"""Consent: what a person is asked for, and what the answer does."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update

from hub.audit import EventKind
from hub.core.errors import InputError, NotFound
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.identity.client_documents import document_of
from hub.identity.clients import find_client
from hub.identity.directory import get, is_plain
from hub.identity.grants import narrow_grants_to, revoke_grants_between
from hub.identity.principals import Principal
from hub.identity.redirects import answer_uri, resolve_redirect_uri
from hub.identity.scopes import scope_text
from hub.identity.secrets import hash_secret, new_secret
from hub.identity.sessions import WebSession
from hub.identity.tables import AuthorizationCodeRow, AuthorizationRequestRow, ClientRegistrationRow, ConsentRow
from hub.storage import Tx, now

CODE_LIFETIME: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentQuestion:
    """All that the consent page shows: who wants what where, and what of it the person has agreed to before.

    `scopes` are those that were asked for and, behind them, those that the person has allowed already and would keep.
    """

    request_id: str
    agent: Principal
    owner: Principal | None
    server: str
    resource: str
    scopes: tuple[str, ...]
    given_before: frozenset[str]
    redirect_uri: str
    expires_at: datetime
    document: str | None = None
    """Where the agent's metadata document is, if that is what it is known by."""
    has_registered_itself: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What one person lets one agent do at one server."""

    id: str
    agent_id: str
    resource: str
    scopes: tuple[str, ...]
    given_at: datetime


async def consent_question(tx: Tx, request_id: str, user: Principal) -> ConsentQuestion:
    """Return what `user` is asked, and make the request `user`'s own; needs a writing transaction.

    The page is always shown and a button always pressed, whatever was agreed to before.

    Raises:
        NotFound: unknown, expired, answered already, or somebody else's.
    """
    if not is_plain(request_id):
        raise _gone()
    open_to_user = or_(AuthorizationRequestRow.user_id.is_(None), AuthorizationRequestRow.user_id == user.id)
    row: AuthorizationRequestRow | None = await tx.scalar(
        update(AuthorizationRequestRow)
        .where(
            AuthorizationRequestRow.id == request_id,
            AuthorizationRequestRow.decided_at.is_(None),
            AuthorizationRequestRow.expires_at > await now(tx),
            open_to_user,
        )
        .values(user_id=user.id)
        .returning(AuthorizationRequestRow)
    )
    if row is None:
        raise _gone()
    agent = await get(tx, row.client_id)
    given = await consented(tx, user_id=user.id, client_id=row.client_id, resource=row.resource)
    return ConsentQuestion(
        request_id=row.id,
        agent=agent,
        owner=await get(tx, agent.owner_id) if agent.owner_id else None,
        server=row.server,
        resource=row.resource,
        scopes=(*row.scopes, *_kept(row, given & agent.allowed_scopes)),
        given_before=given,
        redirect_uri=row.redirect_uri,
        expires_at=row.expires_at,
        document=await document_of(tx, row.client_id),
        has_registered_itself=await tx.get(ClientRegistrationRow, row.client_id) is not None,
    )


async def grant_consent(
    tx: Tx, request_id: str, session: WebSession, scopes: Collection[str], authority: Authority
) -> str:
    """Let the agent act for the session's person with `scopes`, and return where to send the browser.

    What it holds already for the person there is narrowed to them: no earlier answer counts.

    Raises:
        NotFound: unknown, expired, answered already, somebody else's, or the agent is not what it was.
        InputError: no scope was agreed to, or one that was not asked for.
    """
    row = await _decide(tx, request_id, session.principal)
    client = await find_client(tx, row.client_id)
    if client is None or client.principal.is_suspended:
        raise _gone()
    if resolve_redirect_uri(client.redirect_uris, row.redirect_uri) is None:
        raise _gone()
    granted = frozenset(scopes)
    given = await consented(tx, user_id=session.principal.id, client_id=row.client_id, resource=row.resource)
    if not granted or not granted <= {*row.scopes, *_kept(row, given & client.principal.allowed_scopes)}:
        raise InputError("Agree to one or more of the scopes that were asked for, or deny the request.")
    at = await now(tx)
    user_id = session.principal.id
    code = new_secret("cod")
    tx.add(
        AuthorizationCodeRow(
            hash=hash_secret(code),
            client_id=row.client_id,
            user_id=user_id,
            redirect_uri=row.redirect_uri,
            code_challenge=row.code_challenge,
            scopes=sorted(granted),
            resource=row.resource,
            server=row.server,
            authenticated_at=session.authenticated_at,
            expires_at=at + CODE_LIFETIME,
            key_thumbprint=row.key_thumbprint,
        )
    )
    await narrow_grants_to(tx, await _remember(tx, row, user_id, granted), authority)
    facts = {"agent": row.client_id, "resource": row.resource, "scope": scope_text(granted)}
    await authority.record(tx, EventKind.CONSENT_GIVEN, user_id, **facts)
    return answer_uri(row.redirect_uri, code=code, state=row.state, iss=row.issuer)


async def deny_consent(tx: Tx, request_id: str, session: WebSession, authority: Authority) -> str:
    """Refuse the agent, and return where to send the browser.

    Raises:
        NotFound: unknown, expired, answered already, or somebody else's.
    """
    row = await _decide(tx, request_id, session.principal)
    facts = {"agent": row.client_id, "resource": row.resource}
    await authority.record(tx, EventKind.CONSENT_DENIED, session.principal.id, **facts)
    return answer_uri(row.redirect_uri, error="access_denied", state=row.state, iss=row.issuer)


async def consents_of(tx: Tx, user_id: str) -> list[Consent]:
    """Return what a person has agreed to and not withdrawn, the latest first."""
    query = (
        select(ConsentRow)
        .where(ConsentRow.user_id == user_id, ConsentRow.withdrawn_at.is_(None))
        .order_by(ConsentRow.given_at.desc(), ConsentRow.id.desc())
    )
    return [
        Consent(
            id=row.id, agent_id=row.client_id, resource=row.resource, scopes=tuple(row.scopes), given_at=row.given_at
        )
        for row in await tx.scalars(query)
    ]


async def consented(tx: Tx, *, user_id: str, client_id: str, resource: str) -> frozenset[str]:
    """Return what a person lets one agent do at one server by its latest answer, which counts alone; empty: nothing."""
    query = (
        select(ConsentRow)
        .where(ConsentRow.user_id == user_id, ConsentRow.client_id == client_id, ConsentRow.resource == resource)
        .order_by(ConsentRow.given_at.desc(), ConsentRow.id.desc())
        .limit(1)
    )
    latest = await tx.scalar(query)
    return frozenset() if latest is None or latest.withdrawn_at is not None else frozenset(latest.scopes)


async def withdraw_consent(tx: Tx, user_id: str, client_id: str, authority: Authority) -> int:
    """Forget all a person agreed to for one agent and stop the tokens it holds; return how many grants stopped."""
    await tx.execute(
        update(ConsentRow)
        .where(ConsentRow.user_id == user_id, ConsentRow.client_id == client_id, ConsentRow.withdrawn_at.is_(None))
        .values(withdrawn_at=await now(tx))
    )
    await authority.record(tx, EventKind.CONSENT_WITHDRAWN, user_id, agent=client_id)
    return await revoke_grants_between(
        tx, user_id=user_id, client_id=client_id, reason="consent withdrawn", authority=authority
    )


async def _decide(tx: Tx, request_id: str, user: Principal) -> AuthorizationRequestRow:
    """Mark the request as answered; of two answers at the same moment only one gets through."""
    if not is_plain(request_id):
        raise _gone()
    at = await now(tx)
    row: AuthorizationRequestRow | None = await tx.scalar(
        update(AuthorizationRequestRow)
        .where(
            AuthorizationRequestRow.id == request_id,
            AuthorizationRequestRow.user_id == user.id,
            AuthorizationRequestRow.decided_at.is_(None),
            AuthorizationRequestRow.expires_at > at,
        )
        .values(decided_at=at)
        .returning(AuthorizationRequestRow)
    )
    if row is None:
        raise _gone()
    return row


def _kept(row: AuthorizationRequestRow, given: frozenset[str]) -> list[str]:
    # An agent that steps up asks for what is missing; the new token replaces one that had the rest as well.
    return sorted(given - set(row.scopes))


async def _remember(tx: Tx, row: AuthorizationRequestRow, user_id: str, granted: frozenset[str]) -> ConsentRow:
    consent = ConsentRow(
        id=new_id("cns"),
        user_id=user_id,
        client_id=row.client_id,
        resource=row.resource,
        scopes=sorted(granted),
        given_at=await now(tx),
    )
    tx.add(consent)
    await tx.flush()
    return consent


def _gone() -> NotFound:
    return NotFound("There is no such request to answer; it may have expired. Go back to the agent and start again.")
