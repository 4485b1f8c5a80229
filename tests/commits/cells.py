"""What the matrices of faults share: what happens besides, what says that nothing was done, pairs that have to meet."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import combinations
from typing import TypeVar

from hub.invocations.states import State

CellT = TypeVar("CellT")
Axes = Sequence[StrEnum]
"""Where a cell stands on each axis of its matrix."""
Pair = tuple[StrEnum, StrEnum]

NOT_DONE = {State.DENIED, State.FAILED, State.NOT_APPLIED, State.EXPIRED, State.AWAITING_APPROVAL, State.PREVIEW_FAILED}
"""What says that nothing was changed. AWAITING_APPROVAL is here because a new preview follows what went stale."""


class Event(StrEnum):
    """What happens besides."""

    NOTHING = "nothing"
    ANSWER_LOST = "its answer is lost"
    ANSWER_LATE = "it takes effect late"
    SECOND_WORKER = "it wakes up after another has gone on"
    EDIT = "somebody edits the record"
    REVOCATION = "who approved it no longer may"
    EXPIRY = "the time is over"


VOIDS = {Event.EDIT, Event.REVOCATION, Event.EXPIRY}
"""What ends an approval of which nothing was sent."""


def pairs_of(axes: Axes) -> set[Pair]:
    """Return every two that meet in a cell."""
    return set(combinations(axes, 2))


def pairwise(cells: Sequence[CellT], every: Sequence[CellT], axes_of: Callable[[CellT], Axes]) -> list[CellT]:
    """Return `cells` and as few more as it takes that every two that meet in one of `every` meet somewhere."""
    met = {pair for cell in cells for pair in pairs_of(axes_of(cell))}
    missing = {pair for cell in every for pair in pairs_of(axes_of(cell))} - met
    chosen = list(cells)
    while missing:
        best = max(every, key=lambda cell: len(pairs_of(axes_of(cell)) & missing))
        missing -= pairs_of(axes_of(best))
        chosen.append(best)
    return chosen
