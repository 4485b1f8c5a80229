"""What must hold of a commit however it went: never two effects, never a false "not done", never a false "done"."""

from collections.abc import Sequence
from typing import Protocol

from commits.cells import NOT_DONE, VOIDS, Event
from hub.invocations.states import DONE, State
from hub.invocations.tables import AttemptRow


class Cell(Protocol):
    """One run of a matrix."""

    @property
    def event(self) -> Event:
        """What happens besides."""
        ...

    @property
    def was_sent(self) -> bool:
        """Whether it was marked as sent when its process died."""
        ...

    @property
    def comes_to(self) -> State:
        """Where it ends when nothing else goes wrong."""
        ...


def check(cell: Cell, found: State, *, effects: int, attempts: Sequence[AttemptRow]) -> None:
    """Hold what came of one run to the invariants: one attempt for each fencing number, an approval is spent once."""
    assert effects <= 1, f"{cell}: {effects} effects"
    assert not (found in DONE and not effects), f"{cell}: {found}, and nothing happened"
    assert not (found in NOT_DONE and effects), f"{cell}: {found}, and it happened"
    if not cell.was_sent and cell.event in VOIDS:
        assert not effects, f"{cell}: it was carried out although what it was approved for no longer held"
    if cell.event is Event.NOTHING:
        assert found is cell.comes_to, f"{cell}: {found}"
    assert len({one.fence for one in attempts}) == len(attempts), cell
    assert len([one for one in attempts if one.spends]) <= 1, cell
