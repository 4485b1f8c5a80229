"""Emptying questions: what they showed and what people wrote is deleted; who decided what, and when, stays."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import select, update

from hub.approvals.tables import CounterRow, QuestionRow, VoteRow
from hub.storage import Tx

SHOWN: Final[dict[str, Any]] = {"changes": [], "side_effects": []}
"""What of a decision summary is left of its values."""


async def empty_questions(tx: Tx, invocation_ids: Collection[str]) -> None:
    """Delete the values in the questions about these invocations, the reasons of votes, and what was proposed instead.

    What an approval digest covers stays: of the summary that is its digest alone.
    """
    rows = (await tx.scalars(select(QuestionRow).where(QuestionRow.invocation_id.in_(invocation_ids)))).all()
    for row in rows:
        row.summary = {**row.summary, **SHOWN}
    await tx.flush()
    digests = [row.digest for row in rows]
    await tx.execute(update(VoteRow).where(VoteRow.digest.in_(digests)).values(reason=""))
    mine = CounterRow.invocation_id.in_(invocation_ids)
    await tx.execute(update(CounterRow).where(mine).values(before={}, after={}, reason=""))
