"""Emptying invocations: the values of calls that have ended are deleted, and that they were made, and how, stays.

What goes: arguments, output, what is sealed, claims, error texts, findings, conflicts, provenance; what previews,
questions, counter-proposals, reviews and rehearsals showed and what people wrote there; answers kept for repeats of a
request; what was asked late, and replied; the values that a run was seen to bring back. What stays: ids, digests,
states, times, tiers, who decided what, how far it reached, and the numbers that limits and policy count, until no
window reaches back to them (`forget_amounts`).

The private values of events are erased by whoever empties, in the same transaction; see `hub.erasures`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from sqlalchemy import CursorResult, delete, select, update

from hub import ledger
from hub.approvals.emptying import empty_questions
from hub.core.errors import Conflict
from hub.dryrun.emptying import empty_previews
from hub.invocations.journal import snapshot
from hub.invocations.provenance import forget_shown
from hub.invocations.states import State
from hub.invocations.tables import AmountRow, FindingRow, InvocationRow, LateQuestionsRow
from hub.keys import Keyring
from hub.promotions.emptying import empty_rehearsals
from hub.reviews.emptying import empty_reviews, under_review
from hub.standing.emptying import empty_grants
from hub.storage import Tx, now

LONGEST_WINDOW: Final = timedelta(days=90)
"""As far back as policy and limits count."""
ENDED: Final = frozenset(state for state in State if state.is_terminal)
"""Where an invocation must stand before it is emptied."""
_NAMED: Final = 5

_EMPTY: Final[dict[str, Any]] = {
    "arguments": {},
    "sealed_arguments": None,
    "sealed_before": None,
    "claims": {},
    "provenance": [],
    "output": None,
    "sealed_output": None,
    "error_message": None,
    "stop_reason": None,
    "findings": [],
    "conflict": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """How much was emptied."""

    invocations: int
    previews: int


async def refuse_waiting(tx: Tx, invocation_ids: Collection[str]) -> None:
    """Refuse to empty what still goes on.

    Raises:
        Conflict: one of them has not ended, or nobody has looked at its broken glass; the message says which.
    """
    query = select(InvocationRow.id, InvocationRow.state).where(InvocationRow.id.in_(invocation_ids))
    waiting = sorted(row.id for row in (await tx.execute(query)).all() if State(row.state) not in ENDED)
    if waiting:
        raise Conflict(f"It must end first: {_list(waiting)}. Let it be decided, or cancel it, and ask again.")
    unseen = sorted(await under_review(tx, invocation_ids))
    if unseen:
        raise Conflict(f"The glass was broken for it, and nobody has reviewed that yet: {_list(unseen)}.")


async def empty(tx: Tx, keys: Keyring, invocation_ids: Collection[str]) -> Emptied:
    """Delete the values of these invocations, as far as they are still there.

    The caller keeps others from emptying meanwhile, and has seen that nothing forbids it.

    Raises:
        Conflict: one of them has not ended.
    """
    kept = (InvocationRow.id.in_(invocation_ids), InvocationRow.erased_at.is_(None))
    rows = (await tx.scalars(select(InvocationRow).where(*kept).order_by(InvocationRow.id).with_for_update())).all()
    await refuse_waiting(tx, [row.id for row in rows])
    return await _empty(tx, keys, rows)


async def _empty(tx: Tx, keys: Keyring, rows: Sequence[InvocationRow]) -> Emptied:
    moment = await now(tx)
    for row in rows:
        await forget_shown(tx, snapshot(row), keys)
        for name, nothing in _EMPTY.items():
            setattr(row, name, nothing)
        row.erased_at = moment
    await tx.flush()
    ids = [row.id for row in rows]
    await tx.execute(update(FindingRow).where(FindingRow.invocation_id.in_(ids)).values(reason=""))
    await tx.execute(delete(LateQuestionsRow).where(LateQuestionsRow.invocation_id.in_(ids)))
    previews = await empty_previews(tx, ids)
    await empty_questions(tx, ids)
    await empty_grants(tx, ids)
    await empty_reviews(tx, ids)
    await empty_rehearsals(tx, ids)
    await ledger.forget_answers(tx, ids)
    return Emptied(invocations=len(ids), previews=previews)


async def forget_amounts(tx: Tx, *, limit: int) -> int:
    """Delete the numbers of emptied invocations that no window reaches back to any more; return how many."""
    before = await now(tx) - LONGEST_WINDOW
    is_over = (InvocationRow.erased_at.is_not(None), InvocationRow.updated_at < before)
    mine = select(AmountRow.invocation_id).join(InvocationRow, InvocationRow.id == AmountRow.invocation_id)
    over = mine.where(*is_over).distinct().limit(limit)
    done = cast("CursorResult[Any]", await tx.execute(delete(AmountRow).where(AmountRow.invocation_id.in_(over))))
    return done.rowcount


def _list(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"{', '.join(ids[:_NAMED])}{more}"
