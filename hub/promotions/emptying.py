"""Emptying rehearsals: how recorded calls differed with another release is not told any more; that they did, stays."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy import select

from hub.promotions.tables import PromotionRow
from hub.promotions.values import Rehearsal
from hub.storage import Tx


async def empty_rehearsals(tx: Tx, invocation_ids: Collection[str]) -> None:
    """Delete what rehearsals tell of these invocations beside how they came out."""
    ids = frozenset(invocation_ids)
    for row in await tx.scalars(select(PromotionRow).where(PromotionRow.rehearsal.is_not(None))):
        stored = Rehearsal.from_json(row.rehearsal or {})
        played = tuple(replace(one, reasons=()) if one.invocation_id in ids else one for one in stored.played)
        row.rehearsal = replace(stored, played=played).as_json()
    await tx.flush()
