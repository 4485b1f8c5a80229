"""What has become of a write after it was done: whether an undo has taken it back since."""

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from sqlalchemy import select

from connectors.sdk.vocabulary import Effect
from hub.invocations.states import DONE, State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.storage import Tx

TAKES_BACK: Final = DONE - {State.DIVERGED}
"""The states of an undo that leave what it undoes taken back; what came out otherwise is looked into."""


async def taken_back_among(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """Return those of `ids` that an undo has taken back, each with the undo that did."""
    has_come_true = InvocationRow.state.in_(sorted(state.value for state in TAKES_BACK))
    query = select(InvocationRow.undoes, InvocationRow.id).where(InvocationRow.undoes.in_(sorted(ids)), has_come_true)
    return {original: undo for original, undo in await tx.execute(query) if original is not None}


async def with_aftermath(tx: Tx, standing: Invocation) -> Invocation:
    """Return `standing` with what has taken it back since, if it is a write that was done."""
    if standing.effect is Effect.READ or standing.state not in DONE:
        return standing
    return replace(standing, taken_back_by=(await taken_back_among(tx, [standing.id])).get(standing.id, ""))
