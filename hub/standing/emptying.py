"""Emptying spendings: what a standing grant was spent on is no longer shown; that it was spent, and how much, stays."""

from collections.abc import Collection

from sqlalchemy import select

from hub.approvals.emptying import left_of
from hub.standing.tables import SpendingRow
from hub.storage import Tx


async def empty_spendings(tx: Tx, invocation_ids: Collection[str]) -> None:
    """Delete the values in what was decided under a grant about these invocations."""
    for row in await tx.scalars(select(SpendingRow).where(SpendingRow.invocation_id.in_(invocation_ids))):
        row.summary = left_of(row.summary)
    await tx.flush()
