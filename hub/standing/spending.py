"""Spending from a standing grant: one statement takes a use and the money, and what was never sent is given back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from hub.standing.tables import SpendingRow, StandingGrantRow
from hub.storage import Tx, database_now, now

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """One approval given under a grant: for which revision, what it takes, and the terms its digest covers."""

    approval_digest: str
    grant_id: str
    invocation_id: str
    revision: int
    terms: Mapping[str, Json]
    summary: Mapping[str, Json]
    money_minor: int
    returned_at: datetime | None = None


async def spend(tx: Tx, spending: Spending) -> bool:
    """Take one use and the money from the grant, and put that on record; return whether enough was left.

    The statement waits for whoever spends at the same moment and looks again, on both engines, so that nothing is
    ever spent twice. The caller holds the invocation: a grant is locked after the invocation it is spent on.
    """
    row = StandingGrantRow
    enough = (
        row.id == spending.grant_id,
        row.revoked_at.is_(None),
        row.expires_at > database_now(),
        row.uses_left >= 1,
        row.money_left_minor >= spending.money_minor,
    )
    left = {"uses_left": row.uses_left - 1, "money_left_minor": row.money_left_minor - spending.money_minor}
    if await tx.scalar(update(row).where(*enough).values(left).returning(row.id)) is None:
        return False
    tx.add(
        SpendingRow(
            approval_digest=spending.approval_digest,
            grant_id=spending.grant_id,
            invocation_id=spending.invocation_id,
            revision=spending.revision,
            terms=dict(spending.terms),
            summary=dict(spending.summary),
            money_minor=spending.money_minor,
            spent_at=await now(tx),
        )
    )
    await tx.flush()
    return True


async def return_unsent(tx: Tx, approval_digest: str) -> str | None:
    """Give back what an approval took, because nothing was sent; return the grant's id, None if it was given back."""
    mine = (SpendingRow.approval_digest == approval_digest, SpendingRow.returned_at.is_(None))
    change = update(SpendingRow).where(*mine).values(returned_at=await now(tx))
    taken = (await tx.execute(change.returning(SpendingRow.grant_id, SpendingRow.money_minor))).one_or_none()
    if taken is None:
        return None
    row = StandingGrantRow
    left = {"uses_left": row.uses_left + 1, "money_left_minor": row.money_left_minor + taken.money_minor}
    await tx.execute(update(row).where(row.id == taken.grant_id).values(left))
    return str(taken.grant_id)


async def spending_of(tx: Tx, approval_digest: str) -> Spending | None:
    """Return what an approval took from which grant, None if no grant gave it."""
    row = await tx.get(SpendingRow, approval_digest, populate_existing=True)
    if row is None:
        return None
    return Spending(
        approval_digest=row.approval_digest,
        grant_id=row.grant_id,
        invocation_id=row.invocation_id,
        revision=row.revision,
        terms=row.terms,
        summary=row.summary,
        money_minor=row.money_minor,
        returned_at=row.returned_at,
    )


async def is_good_now(tx: Tx, approval_digest: str) -> bool:
    """Return whether the grant behind an approval is neither revoked nor expired, and keep it so until `tx` ends.

    Asked in the transaction that marks a write as sent: a revocation comes before that mark or waits for it.
    """
    row = StandingGrantRow
    query = (
        select(row.id)
        .join(SpendingRow, SpendingRow.grant_id == row.id)
        .where(
            SpendingRow.approval_digest == approval_digest,
            SpendingRow.returned_at.is_(None),
            row.revoked_at.is_(None),
            row.expires_at > database_now(),
        )
    )
    return await tx.scalar(query.with_for_update(read=True, of=row)) is not None


async def has_spent(tx: Tx, grant_id: str) -> list[str]:
    """Return the invocations that used the grant and kept what they took, the newest first."""
    kept = (SpendingRow.grant_id == grant_id, SpendingRow.returned_at.is_(None))
    query = select(SpendingRow.invocation_id).where(*kept).order_by(SpendingRow.spent_at.desc()).limit(200)
    return list(await tx.scalars(query))
