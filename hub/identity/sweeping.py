"""Clearing away what has ended: sessions, codes, requests, refresh tokens, grants, proofs, budgets of logins."""

from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, select

from hub.identity.tables import (
    AuthorizationCodeRow,
    AuthorizationRequestRow,
    BootstrapRow,
    GrantRow,
    InvitationRow,
    LinkCodeRow,
    LoginBudgetRow,
    RefreshTokenRow,
    SessionRow,
    UsedAssertionRow,
    UsedProofRow,
)
from hub.storage import Base, Tx, now

KEEP: Final = timedelta(days=1)
"""How long what has ended is kept, so that a late replay is still recognised for what it is."""


async def sweep(tx: Tx) -> None:
    """Delete what ended more than a day ago, and proofs at once.

    Nothing relies on it: what has ended is refused whether swept or not.
    """
    at = await now(tx)
    before = at - KEEP
    ended_grants = select(GrantRow.id).where(GrantRow.expires_at < before)
    sweepable: list[tuple[type[Base], ColumnElement[bool]]] = [
        (SessionRow, SessionRow.expires_at < before),
        (LoginBudgetRow, LoginBudgetRow.full_at < before),
        (InvitationRow, InvitationRow.expires_at < before),
        (LinkCodeRow, LinkCodeRow.expires_at < before),
        (UsedAssertionRow, UsedAssertionRow.expires_at < before),
        (UsedProofRow, UsedProofRow.expires_at < at),  # one for each request: kept no longer than they count
        (BootstrapRow, BootstrapRow.expires_at < before),
        (AuthorizationRequestRow, AuthorizationRequestRow.expires_at < before),
        (AuthorizationCodeRow, AuthorizationCodeRow.grant_id.in_(ended_grants)),
        (
            AuthorizationCodeRow,
            AuthorizationCodeRow.grant_id.is_(None) & (AuthorizationCodeRow.expires_at < before),
        ),
        (RefreshTokenRow, RefreshTokenRow.grant_id.in_(ended_grants)),
        (GrantRow, GrantRow.expires_at < before),
    ]
    for table, ended in sweepable:
        await tx.execute(delete(table).where(ended))
