"""Counting writes: each by itself, with what people decided about it and what became of it afterwards."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, Select, and_, or_, select, tuple_

from connectors.sdk.vocabulary import Effect
from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.invocations.states import DONE, State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import ApprovedBy
from hub.metrics.facts import Asked, CallFacts
from hub.metrics.lookups import AT_ONCE, Declared, Ground, Made, cases_of, parts_of
from hub.metrics.questions import asked_about
from hub.metrics.values import Tally
from hub.storage import Tx

_WANTED: Final = (
    InvocationRow.id,
    InvocationRow.created_at,
    InvocationRow.environment,
    InvocationRow.server,
    InvocationRow.agent_id,
    InvocationRow.agent_version,
    InvocationRow.on_behalf_of_id,
    InvocationRow.tool_id,
    InvocationRow.tool_version_id,
    InvocationRow.state,
    InvocationRow.error_code,
    InvocationRow.approved_by,
    InvocationRow.sent_at,
    InvocationRow.part_of,
    InvocationRow.undoes,
    InvocationRow.run_id,
    InvocationRow.case_key,
)


async def count_writes(ground: Ground, tally: Tally) -> None:
    """Add the writes of the window to `tally`, a bounded number of them at a time."""
    async for rows in _in_parts(ground):
        beside = await _beside(ground, rows)
        for row in rows:
            ground.put(tally, _made(row), beside.facts_of(row))


async def _in_parts(ground: Ground) -> AsyncIterator[Sequence[Row[*tuple[Any, ...]]]]:
    row = InvocationRow
    query = select(*_WANTED).where(ground.calls, row.effect != Effect.READ.value)
    query = query.order_by(row.created_at, row.id).limit(AT_ONCE)
    rows = await _rows(ground.tx, query)
    while rows:
        yield rows
        last = rows[-1]
        rest = tuple_(row.created_at, row.id) > (last.created_at, last.id)
        rows = await _rows(ground.tx, query.where(rest))


async def _rows(tx: Tx, query: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
    return (await tx.execute(query)).all()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """What is on record beside some writes."""

    asked: dict[str, tuple[Asked, ...]]
    steps: dict[str, list[tuple[str, str]]]
    """Of plans: the ids and states of their steps."""
    undone: frozenset[str]
    doubted: frozenset[str]
    cases: dict[tuple[str, str], str]
    declared: dict[str, Declared]

    def facts_of(self, row: Row[*tuple[Any, ...]]) -> CallFacts:
        """Return what numbers need to know of one write."""
        steps, declared = self.steps.get(row.id, []), self.declared[row.tool_version_id]
        return CallFacts(
            state=State(row.state),
            is_read=False,
            by_agent=row.agent_version > 0,
            is_part=row.part_of is not None,
            is_undo=row.undoes is not None,
            is_plan=declared.is_composite,
            approved_by=ApprovedBy(row.approved_by) if row.approved_by else None,
            was_sent=row.sent_at is not None,
            error_code=row.error_code,
            was_in_doubt=row.id in self.doubted,
            was_undone=any(one in self.undone for one in [row.id, *(step_id for step_id, _ in steps)]),
            step_diverged=any(state == State.DIVERGED.value for _, state in steps),
            cost=declared.cost,
            case_key=row.case_key if row.run_id is None else self.cases.get((row.agent_id, row.run_id)),
            asked=self.asked.get(row.id, ()),
        )


async def _beside(ground: Ground, rows: Sequence[Row[*tuple[Any, ...]]]) -> _Beside:
    tx, ids = ground.tx, [row.id for row in rows]
    steps = await _steps_of(tx, ids)
    step_ids = [step_id for some in steps.values() for step_id, _ in some]
    return _Beside(
        asked=await asked_about(tx, ids),
        steps=steps,
        undone=await _undone(tx, [*ids, *step_ids]),
        doubted=await _doubted(tx, ids),
        cases=await cases_of(tx, {(row.agent_id, row.run_id) for row in rows if row.run_id is not None}),
        declared=await ground.declared({row.tool_version_id for row in rows}),
    )


async def _steps_of(tx: Tx, ids: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    row, found = InvocationRow, defaultdict[str, list[tuple[str, str]]](list)
    is_write = row.effect != Effect.READ.value
    query = select(row.part_of, row.id, row.state).where(row.part_of.in_(ids), row.undoes.is_(None), is_write)
    for plan_id, step_id, state in await tx.execute(query):
        found[str(plan_id)].append((step_id, state))
    return found


async def _undone(tx: Tx, ids: Sequence[str]) -> frozenset[str]:
    """Return those that an undo has taken back."""
    row, found = InvocationRow, set[str]()
    has_happened = or_(
        row.state.in_(sorted(state.value for state in DONE)),
        and_(row.state == State.RESOLVED_BY_HUMAN.value, row.error_code.is_(None)),
    )
    for some in parts_of(ids):
        query = select(row.undoes).where(row.undoes.in_(some), has_happened)
        found.update(one for one in await tx.scalars(query) if one is not None)
    return frozenset(found)


async def _doubted(tx: Tx, ids: Sequence[str]) -> frozenset[str]:
    """Return those of which an event says that they were in doubt, however that ended."""
    row = EventRow
    query = select(row.subject).where(row.subject.in_(ids), row.kind == EventKind.COMMIT_IN_DOUBT.value)
    return frozenset(await tx.scalars(query))


def _made(row: Row[*tuple[Any, ...]]) -> Made:
    return Made(
        at=row.created_at,
        environment=row.environment,
        server=row.server,
        agent_id=row.agent_id,
        user_id=row.on_behalf_of_id,
        tool_id=row.tool_id,
    )
