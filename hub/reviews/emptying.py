"""Emptying reviews: what people wrote of a write is deleted; their verdict stays."""

from collections.abc import Collection

from sqlalchemy import case, select, update

from hub.reviews.tables import ReviewRow
from hub.reviews.values import ReviewKind
from hub.storage import Tx


async def empty_reviews(tx: Tx, invocation_ids: Collection[str]) -> None:
    """Delete what was written in the reviews of these invocations."""
    mine = update(ReviewRow).where(ReviewRow.invocation_id.in_(invocation_ids))
    kept = case((ReviewRow.reason.is_(None), None), else_="")
    await tx.execute(mine.values(why="", reason=kept))


async def under_review(tx: Tx, invocation_ids: Collection[str]) -> set[str]:
    """Return those of these invocations for which the glass was broken, and nobody has looked at that yet."""
    waits = (ReviewRow.kind == ReviewKind.GLASS.value, ReviewRow.opened_at.is_not(None), ReviewRow.verdict.is_(None))
    query = select(ReviewRow.invocation_id).where(ReviewRow.invocation_id.in_(invocation_ids), *waits)
    return set(await tx.scalars(query))
