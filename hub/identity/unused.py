"""Newcomers that were never used: registrations cost nothing, so that those which came to nothing go by themselves."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.exc import IntegrityError

from hub.audit import EventKind
from hub.identity.authority import Authority
from hub.identity.tables import (
    AgentVersionRow,
    AuthorizationCodeRow,
    AuthorizationRequestRow,
    ClientDocumentRow,
    ClientRegistrationRow,
    ClientRow,
    ClientSecretRow,
    ConsentRow,
    GroupMemberRow,
    PrincipalRow,
)
from hub.storage import Base, Tx, now

MOST_AT_ONCE: Final = 200

_THEIRS: Final[tuple[tuple[type[Base], str], ...]] = (
    (AuthorizationRequestRow, "client_id"),
    (AuthorizationCodeRow, "client_id"),
    (ClientSecretRow, "principal_id"),
    (AgentVersionRow, "agent_id"),
    (ClientDocumentRow, "principal_id"),
    (ClientRegistrationRow, "principal_id"),
    (ClientRow, "principal_id"),
    (PrincipalRow, "id"),
)


async def forget_unused(tx: Tx, kept: timedelta, authority: Authority) -> int:
    """Delete newcomers that came longer ago than `kept` and that nobody used; return how many.

    One stays for good that ever got a token, that a person ever allowed, that has a version, a group or anything else
    that somebody gave it, or that was suspended: its document must not bring it back as somebody new.
    """
    gone = [one for one in await _unused(tx, kept) if await _delete(tx, one)]
    for one in gone:
        await authority.record(tx, EventKind.AGENT_CHANGED, one, changed="removed: never used")
    return len(gone)


async def _unused(tx: Tx, kept: timedelta) -> list[str]:
    itself = ClientRow.principal_id
    may_go = or_(PrincipalRow.suspended_at.is_(None), exists().where(ClientRegistrationRow.principal_id == itself))
    query = (
        select(itself)
        .join(PrincipalRow, PrincipalRow.id == itself)
        .where(
            ClientRow.is_newcomer,
            ClientRow.used_at.is_(None),
            ClientRow.version == 1,
            PrincipalRow.created_at < await now(tx) - kept,
            may_go,
            ~exists().where(ConsentRow.client_id == itself),
            ~exists().where(GroupMemberRow.principal_id == itself),
        )
        .order_by(PrincipalRow.created_at)
        .limit(MOST_AT_ONCE)
    )
    return list(await tx.scalars(query))


async def _delete(tx: Tx, client_id: str) -> bool:
    """Delete a client; False if something else is about it, which keeps it."""
    try:
        async with tx.begin_nested():
            for table, column in _THEIRS:
                await tx.execute(delete(table).where(table.__table__.c[column] == client_id))
    except IntegrityError:
        return False
    return True
