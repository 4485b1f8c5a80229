"""Watching promoted releases: what came of them is counted, and one that crosses its line is taken back at once."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, case, func, select

from connectors.sdk.errors import Conflict as UpstreamConflict
from connectors.sdk.errors import NotFound as UpstreamNotFound
from connectors.sdk.errors import Unavailable as UpstreamUnavailable
from hub import promotions
from hub.core.errors import Conflict
from hub.dryrun import Verdict
from hub.dryrun.tables import PreviewRow
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.promotions import Line, Promotion, Tally, Timing, crossed
from hub.registry import get_release
from hub.registry.using import versions_of
from hub.storage import Tx, now

_NOT_ITS_FAULT: Final = (UpstreamNotFound.code, UpstreamConflict.code, UpstreamUnavailable.code)
"""What a system says of its records or of itself; it would say that to any release."""
_FAILED: Final = (State.FAILED.value, State.PREVIEW_FAILED.value, State.UNDONE.value, State.PARTIAL.value)
_NOT_YET: Final = (State.RECEIVED.value, State.PREVIEWING.value, State.DENIED.value)
_COMPARED: Final = 200
"""How many of the latest calls stand for the predecessor."""


async def watch(runtime: Runtime) -> list[Promotion]:
    """Take back every promoted release that has crossed its line, and return those promotions."""
    reverted = list[Promotion]()
    async with runtime.database.reading() as tx:
        watched = [(one, await _found(tx, one, runtime)) for one in await promotions.in_force(tx)]
    for promotion, found in watched:
        if found:
            with suppress(Conflict):  # another worker was quicker
                async with runtime.database.transaction() as tx:
                    why = " ".join(found)
                    reverted.append(await promotions.revert(tx, promotion.id, why, runtime.authority))
    return reverted


async def _found(tx: Tx, promotion: Promotion, runtime: Runtime) -> Sequence[str]:
    line, since = runtime.promotions.to(promotion.environment).line, promotion.decided_at
    if since is None or since < await now(tx) - timedelta(days=line.watch_days):
        return ()
    return crossed(line, await tally(tx, promotion, since, line))


async def tally(tx: Tx, promotion: Promotion, since: datetime, line: Line) -> Tally:
    """Return what came of the versions that a promoted release brought, since it was put in use."""
    release, former_id = await get_release(tx, promotion.release_id), promotion.former_release_id
    before = [] if former_id is None else [one.id for one in await versions_of(tx, await get_release(tx, former_id))]
    brought = [one.id for one in await versions_of(tx, release) if one.id not in before]
    place = promotion.environment.value
    calls = _of(place, brought).where(InvocationRow.created_at >= since)
    judged = (
        select(PreviewRow.verdict)
        .join(InvocationRow, InvocationRow.id == PreviewRow.invocation_id)
        .where(InvocationRow.environment == place, InvocationRow.tool_version_id.in_(brought))
        .where(InvocationRow.created_at >= since, PreviewRow.verdict.in_([Verdict.VERIFIED, Verdict.DIVERGED]))
        .order_by(PreviewRow.observed_at.desc())
        .limit(line.divergences_of)
    )
    verdicts = (await tx.scalars(judged)).all()
    done, failed = await _counted(tx, calls)
    former_done, former_failed = await _counted(tx, _of(place, before).limit(_COMPARED))
    return Tally(
        judged=len(verdicts),
        diverged=verdicts.count(Verdict.DIVERGED.value),
        calls=done,
        failed=failed,
        former_calls=former_done,
        former_failed=former_failed,
        timings=await _timings(tx, place, brought, before),
    )


def _of(place: str, versions: Collection[str]) -> Select[Any]:
    """Return the query for how the calls of some versions stand, the latest first."""
    fault = case((InvocationRow.state.in_(_FAILED) & InvocationRow.error_code.not_in(_NOT_ITS_FAULT), 1), else_=0)
    query = select(fault.label("fault")).where(
        InvocationRow.environment == place,
        InvocationRow.tool_version_id.in_(versions),
        InvocationRow.state.not_in(_NOT_YET),
    )
    return query.order_by(InvocationRow.id.desc())


async def _counted(tx: Tx, calls: Select[Any]) -> tuple[int, int]:
    found = calls.subquery()
    row = (await tx.execute(select(func.count(), func.coalesce(func.sum(found.c.fault), 0)).select_from(found))).one()
    return int(row[0]), int(row[1])


async def _timings(tx: Tx, place: str, brought: Collection[str], before: Collection[str]) -> dict[str, Timing]:
    now_taken, then_taken = [await _taken(tx, place, versions) for versions in (brought, before)]
    return {tool: Timing(now=taken, former=then_taken.get(tool, ())) for tool, taken in now_taken.items()}


async def _taken(tx: Tx, place: str, versions: Collection[str]) -> dict[str, list[int]]:
    """Return how long the latest calls took, by tool: a read all of it, a write its preview."""
    took = func.coalesce(InvocationRow.latency_ms, PreviewRow.latency_ms)
    on = (PreviewRow.invocation_id == InvocationRow.id) & (PreviewRow.revision == InvocationRow.revision)
    query = (
        select(InvocationRow.tool_name, took)
        .outerjoin(PreviewRow, on)
        .where(InvocationRow.environment == place, InvocationRow.tool_version_id.in_(versions), took.is_not(None))
        .order_by(InvocationRow.id.desc())
        .limit(_COMPARED * 5)
    )
    found = dict[str, list[int]]()
    for tool, milliseconds in await tx.execute(query):
        found.setdefault(tool, []).append(milliseconds)
    return found
