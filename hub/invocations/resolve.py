"""Resolving a doubt by people: when no system can say whether a write happened, somebody goes and looks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from connectors.sdk.vocabulary import Tier
from hub.audit import EventKind
from hub.core.errors import Conflict, Forbidden, InputError
from hub.identity.directory import get_many
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal
from hub.invocations.callers import caller_of, voters_excluded
from hub.invocations.journal import Step, hold, load, move, record_event
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import FindingRow, InvocationRow
from hub.invocations.values import Invocation
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

LONGEST_REASON: Final = 2000
NOT_DONE: Final = "found_not_done"
"""The error code of an invocation that people found not to have happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What one operator found in the system itself."""

    invocation_id: str
    operator: Principal
    has_happened: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one operator has put on record already."""

    operator_id: str
    has_happened: bool
    reason: str
    at: datetime


async def count_doubts(tx: Tx) -> int:
    """Return how many invocations are in doubt."""
    query = select(func.count()).select_from(InvocationRow).where(InvocationRow.state == State.IN_DOUBT.value)
    return await tx.scalar(query) or 0


async def findings_on(tx: Tx, invocation_id: str) -> tuple[Finding, ...]:
    """Return what operators have put on record of an invocation, the earliest first."""
    query = select(FindingRow).where(FindingRow.invocation_id == invocation_id)
    return tuple(
        Finding(operator_id=row.operator_id, has_happened=row.has_happened, reason=row.reason, at=row.found_at)
        for row in await tx.scalars(query.order_by(FindingRow.found_at, FindingRow.operator_id))
    )


async def may_settle(tx: Tx, operator: Principal, standing: Invocation) -> bool:
    """Return whether somebody may say what became of an invocation in doubt: an operator who takes no part in it."""
    if standing.state is not State.IN_DOUBT or not may(operator, Permission.RESOLVE_DOUBTS):
        return False
    return operator.id not in voters_excluded(await caller_of(tx, standing))


def operators_needed(standing: Invocation) -> int:
    """Return how many operators must find the same: two for a critical write, else one."""
    return 2 if standing.tier is Tier.CRITICAL else 1


async def doubtful(runtime: Runtime, *, limit: int = 100) -> list[Invocation]:
    """Return the invocations that are in doubt, the oldest first."""
    async with runtime.database.reading() as tx:
        query = select(InvocationRow.id).where(InvocationRow.state == State.IN_DOUBT.value)
        ids = list(await tx.scalars(query.order_by(InvocationRow.id).limit(limit)))
        return [await load(tx, invocation_id) for invocation_id in ids]


async def resolve(resolution: Resolution, runtime: Runtime) -> Invocation:
    """Record what an operator found; once enough of them agree, one, or two for a critical write, it is settled.

    Until then whoever erred finds something else; each word is on record as an event.

    Raises:
        Conflict: it is not in doubt any more, or another operator has found the opposite.
        Forbidden: the person is no operator, or takes part in the call.
        InputError: the reason is missing or too long.
        NotFound: there is no such invocation.
    """
    demand(resolution.operator, Permission.RESOLVE_DOUBTS)
    reason = resolution.reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InputError(f"Say in at most {LONGEST_REASON} characters where you looked and what you found.")
    async with runtime.database.transaction() as tx:
        await hold(tx, resolution.invocation_id)
        standing = await load(tx, resolution.invocation_id)
        if standing.state is not State.IN_DOUBT:
            raise Conflict(f"It is not in doubt: it is {standing.state.value}.")
        excluded = voters_excluded(await caller_of(tx, standing))
        if resolution.operator.id in excluded:
            raise Forbidden("You take part in this call yourself; another operator must look.")
        agreeing = await _record(tx, resolution, reason, excluded)
        step = _step(standing, resolution, agreeing)
        if step.to is State.IN_DOUBT:
            await record_event(tx, runtime, standing, step)
            return standing
        return await move(tx, runtime, standing, step)


async def _record(tx: Tx, resolution: Resolution, reason: str, excluded: frozenset[str]) -> int:
    """Write the finding down in place of an earlier one of the same operator; return how many have found the same now.

    What somebody found who settles nothing any more neither counts nor stands against others.
    """
    query = select(FindingRow).where(FindingRow.invocation_id == resolution.invocation_id)
    rows = {row.operator_id: row for row in await tx.scalars(query)}
    people = await get_many(tx, [*rows])
    others = {
        one for one in rows.keys() - excluded - {resolution.operator.id} if may(people[one], Permission.RESOLVE_DOUBTS)
    }
    if any(rows[one].has_happened is not resolution.has_happened for one in others):
        raise Conflict(
            "Another operator found the opposite. Look together, in the system itself; who erred says so here."
        )
    finding = FindingRow(
        invocation_id=resolution.invocation_id,
        operator_id=resolution.operator.id,
        has_happened=resolution.has_happened,
        reason=reason,
        found_at=await now(tx),
    )
    await tx.merge(finding)
    await tx.flush()
    return len(others) + 1


def _step(standing: Invocation, resolution: Resolution, agreeing: int) -> Step:
    facts: dict[str, Json] = {
        "has_happened": resolution.has_happened,
        "operator": resolution.operator.id,
        "agreeing": agreeing,
        "reason": resolution.reason.strip(),
    }
    changes: dict[str, str | None] = {"error_code": None, "error_message": None}
    if not resolution.has_happened:
        changes = {"error_code": NOT_DONE, "error_message": "An operator looked: it did not happen."}
    return Step(
        to=State.RESOLVED_BY_HUMAN if agreeing >= operators_needed(standing) else State.IN_DOUBT,
        event=EventKind.COMMIT_RESOLVED,
        facts=facts,
        changes=changes,
        by=resolution.operator.id,
    )
