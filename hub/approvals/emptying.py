"""Emptying questions: what they showed and what people wrote is deleted; who decided what, and when, stays."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import select, update

from hub.approvals.tables import CounterRow, QuestionRow, VoteRow
from hub.storage import Tx

_STAYS: Final = frozenset(
    {"tool", "title", "connector", "connection", "environment", "tier", "effect", "fidelity", "reversal", "blast"}
)
"""What a decision summary says beside values; whatever else comes to stand in one goes."""


def left_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is left of a decision summary: what was decided on, and how far it reached."""
    gone: dict[str, Any] = {name: [] for name in ("changes", "side_effects", "steps") if name in summary}
    return {name: value for name, value in summary.items() if name in _STAYS} | gone


async def empty_questions(tx: Tx, invocation_ids: Collection[str]) -> None:
    """Delete the values in the questions about these invocations, the reasons of votes, and what was proposed instead.

    What an approval digest covers stays: of the summary that is its digest alone.
    """
    rows = (await tx.scalars(select(QuestionRow).where(QuestionRow.invocation_id.in_(invocation_ids)))).all()
    for row in rows:
        row.summary = left_of(row.summary)
    await tx.flush()
    digests = [row.digest for row in rows]
    await tx.execute(update(VoteRow).where(VoteRow.digest.in_(digests)).values(reason=""))
    mine = CounterRow.invocation_id.in_(invocation_ids)
    await tx.execute(update(CounterRow).where(mine).values(before={}, after={}, reason=""))
