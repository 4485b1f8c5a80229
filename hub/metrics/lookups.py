"""What counting looks up beside the calls: declared costs, the cases of runs, and the place where a call is counted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, select

from connectors.sdk.spec import OperationSpec
from hub.approvals.tables import CounterRow, QuestionRow, VoteRow
from hub.invocations.tables import InvocationRow
from hub.metrics.assignments import Assignments
from hub.metrics.facts import CallFacts, Cost, entries_of
from hub.metrics.values import Place, Tally, Window
from hub.registry.composites import is_composite
from hub.registry.tables import ToolVersionRow
from hub.storage import Tx

AT_ONCE: Final = 500
"""How many ids one query names."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Who made a call of what, where and when."""

    at: datetime
    environment: str
    server: str
    agent_id: str
    user_id: str | None
    tool_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What an operation declares that numbers need."""

    cost: Cost | None
    is_composite: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all counting of one window stands on."""

    tx: Tx
    window: Window
    assignments: Assignments
    _declared: dict[str, Declared] = field(default_factory=dict[str, Declared])

    @property
    def calls(self) -> ColumnElement[bool]:
        """The condition that an invocation was made in the window."""
        row, window = InvocationRow, self.window
        inside = (row.created_at >= window.begins) & (row.created_at < window.ends)
        if window.agent_id is not None:
            inside &= row.agent_id == window.agent_id
        if window.tool_ids is not None:
            inside &= row.tool_id.in_(sorted(window.tool_ids))
        if window.person_id is not None:
            inside &= _decided_by(window.person_id)
        return inside

    def put(self, tally: Tally, made: Made, call: CallFacts, times: int = 1) -> None:
        """Add what `call` counts for to `tally`, as often as there were calls like it."""
        place = Place(
            day=self.window.day,
            agent_id=made.agent_id,
            environment=made.environment,
            tool_id=made.tool_id,
            centre_id=self.assignments.centre_of(
                agent=made.agent_id, user=made.user_id, server=made.server, at=made.at
            ),
        )
        for decider, entry, amount in entries_of(call):
            tally[place.seen_by(decider), entry] += amount * times

    async def declared(self, version_ids: Iterable[str]) -> dict[str, Declared]:
        """Return what the operations of these tool versions declare; versions never change."""
        missing = set(version_ids) - self._declared.keys()
        for some in parts_of(sorted(missing)):
            query = select(ToolVersionRow.id, ToolVersionRow.spec).where(ToolVersionRow.id.in_(some))
            for version_id, spec in await self.tx.execute(query):
                self._declared[version_id] = _declared(OperationSpec.model_validate_json(spec))
        return self._declared


def _decided_by(person_id: str) -> ColumnElement[bool]:
    """Return the condition that a person voted on a call, or proposed other arguments for it."""
    voted = select(QuestionRow.invocation_id).join(VoteRow, VoteRow.digest == QuestionRow.digest)
    countered = select(CounterRow.invocation_id).where(CounterRow.author_id == person_id)
    mine = InvocationRow.id
    return mine.in_(voted.where(VoteRow.voter_id == person_id)) | mine.in_(countered)


def _declared(operation: OperationSpec) -> Declared:
    cost = operation.cost
    return Declared(
        cost=None if cost is None else Cost(amount=cost.amount, unit=cost.unit), is_composite=is_composite(operation)
    )


Run = tuple[str, str]
"""An agent, and the name of a run of it."""


async def cases_of(tx: Tx, runs: Iterable[Run]) -> dict[Run, str]:
    """Return to which case each of these runs belongs: the first that one of its calls named."""
    row, found = InvocationRow, dict[Run, str]()
    wanted = set(runs)
    for some in parts_of(sorted({run for _, run in wanted})):
        query = (
            select(row.agent_id, row.run_id, row.case_key)
            .where(row.run_id.in_(some), row.case_key.is_not(None))
            .order_by(row.created_at, row.id)
        )
        for agent_id, run_id, case_key in await tx.execute(query):
            if run_id is not None and case_key is not None and (agent_id, run_id) in wanted:
                found.setdefault((agent_id, run_id), case_key)
    return found


def parts_of(items: Sequence[T]) -> Iterator[list[T]]:
    """Yield the items in parts that one query can name."""
    rest = iter(items)
    while part := list(islice(rest, AT_ONCE)):
        yield part
