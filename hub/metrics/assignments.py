"""Which cost centre a call belongs to: its agent's, else that of the user it acts for, else its server's."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from hub.metrics.tables import AssignmentRow
from hub.storage import Tx


class Bearer(StrEnum):
    """Whose costs are assigned; the first of them that is assigned decides."""

    AGENT = "agent"
    USER = "user"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Where the costs of one bearer go from a moment on; `centre_id` is None where they go to none any more."""

    id: str
    kind: Bearer
    subject: str
    centre_id: str | None
    valid_from: datetime
    assigned_by: str | None
    assigned_at: datetime


class Assignments:
    """Every assignment there ever was, by its bearer."""

    def __init__(self, known: Iterable[Assignment]) -> None:
        """Keep `known`, in the order in which they became or become valid."""
        self._known = defaultdict[tuple[Bearer, str], list[Assignment]](list)
        for one in sorted(known, key=lambda one: (one.valid_from, one.id)):
            self._known[one.kind, one.subject].append(one)

    @property
    def moments(self) -> list[datetime]:
        """When one of them became or becomes valid."""
        return [one.valid_from for history in self._known.values() for one in history]

    def centre_of(self, *, agent: str, user: str | None, server: str, at: datetime) -> str:
        """Return the id of the centre that a call at this moment belongs to; empty, where nobody has assigned it."""
        bearers = [(Bearer.AGENT, agent), *([(Bearer.USER, user)] if user else []), (Bearer.SERVER, server)]
        found = (self._valid(bearer, at) for bearer in bearers)
        return next((centre for centre in found if centre), "")

    def _valid(self, bearer: tuple[Bearer, str], at: datetime) -> str | None:
        history = self._known.get(bearer, [])
        place = bisect_right(history, at, key=lambda one: one.valid_from)
        return history[place - 1].centre_id if place else None


async def read_assignments(tx: Tx) -> Assignments:
    """Return every assignment there ever was."""
    return Assignments([assignment_of(row) for row in await tx.scalars(select(AssignmentRow))])


def assignment_of(row: AssignmentRow) -> Assignment:
    """Return the value that `row` stands for."""
    return Assignment(
        id=row.id,
        kind=Bearer(row.kind),
        subject=row.subject,
        centre_id=row.centre_id,
        valid_from=row.valid_from,
        assigned_by=row.assigned_by,
        assigned_at=row.assigned_at,
    )
