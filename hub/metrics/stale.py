"""What has to be counted again: the days of calls that moved, or that something became of, after they were counted."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import func, select

from connectors.sdk.vocabulary import Effect
from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.invocations.tables import InvocationRow
from hub.metrics.lookups import parts_of
from hub.metrics.values import begin_of
from hub.storage import Tx


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Day:
    """One day of one agent; without one, of all."""

    day: date
    agent_id: str | None = None


async def first_day(tx: Tx) -> date | None:
    """Return the day of the first call on record, or of the first that was turned away; None: there is none."""
    called = await tx.scalar(select(func.min(InvocationRow.created_at)))
    refused = select(func.min(EventRow.at)).where(EventRow.kind == EventKind.INVOCATION_REFUSED.value)
    found = [one for one in (called, await tx.scalar(refused)) if one is not None]
    return min(found).astimezone(UTC).date() if found else None


async def days_moved(tx: Tx, since: datetime, *, before: date) -> list[Day]:
    """Return the days before `before` of which something has changed since, each with its agent."""
    row = InvocationRow
    moved = select(row.agent_id, row.created_at, row.undoes, row.part_of).where(
        row.updated_at >= since, row.effect != Effect.READ.value
    )
    calls, named = list[tuple[str, datetime]](), set[str]()
    for agent_id, created_at, undoes, part_of in await tx.execute(moved):
        calls.append((agent_id, created_at))
        named.update(one for one in (undoes, part_of) if one is not None)
    calls += await _named(tx, named)
    calls += await _of_runs(tx, await _runs_with_cases(tx, since), before)
    return sorted({_day(agent_id, at) for agent_id, at in calls if at < begin_of(before)})


def _day(agent_id: str, at: datetime) -> Day:
    return Day(day=at.astimezone(UTC).date(), agent_id=agent_id)


async def _named(tx: Tx, ids: Collection[str]) -> list[tuple[str, datetime]]:
    """Return the calls that others take back or are steps of, and the plans that those are steps of in their turn."""
    row, found, above = InvocationRow, list[tuple[str, datetime]](), set[str]()
    for some in parts_of(sorted(ids)):
        query = select(row.agent_id, row.created_at, row.part_of).where(row.id.in_(some))
        for agent_id, created_at, part_of in await tx.execute(query):
            found.append((agent_id, created_at))
            above.update([part_of] if part_of is not None and part_of not in ids else [])
    return [*found, *(await _named(tx, above) if above else [])]


async def _runs_with_cases(tx: Tx, since: datetime) -> list[str]:
    """Return the runs of which a call named a case since then: it may be the first that does."""
    row = InvocationRow
    query = select(row.run_id).where(row.created_at >= since, row.case_key.is_not(None), row.run_id.is_not(None))
    return sorted({run for run in await tx.scalars(query.distinct()) if run is not None})


async def _of_runs(tx: Tx, runs: Iterable[str], before: date) -> list[tuple[str, datetime]]:
    row, found = InvocationRow, list[tuple[str, datetime]]()
    for some in parts_of(list(runs)):
        query = select(row.agent_id, row.created_at).where(row.run_id.in_(some), row.created_at < begin_of(before))
        found += [(agent_id, created_at) for agent_id, created_at in await tx.execute(query)]
    return found
