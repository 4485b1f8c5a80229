"""Emptying grants: what one was spent on, and whom its example reached, is no longer known; that it was spent stays."""

from collections.abc import Collection

from sqlalchemy import select, update

from hub.approvals.emptying import left_of
from hub.standing.tables import SpendingRow, StandingGrantRow
from hub.storage import Tx


async def empty_grants(tx: Tx, invocation_ids: Collection[str]) -> None:
    """Delete the values of these invocations in what was decided under a grant about them, or granted like them.

    A grant of which nobody can say any more what its giver saw beside the changes covers no call that does anything so,
    nor one whose preview leaves something out.
    """
    like_them = StandingGrantRow.like_invocation_id.in_(invocation_ids)
    await tx.execute(update(StandingGrantRow).where(like_them).values(side_effects=[], not_covered=[]))
    for row in await tx.scalars(select(SpendingRow).where(SpendingRow.invocation_id.in_(invocation_ids))):
        row.summary = left_of(row.summary)
    await tx.flush()
