"""Counting reads: there are many, so the database adds up those that are alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, func, select

from connectors.sdk.vocabulary import Effect
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.metrics.facts import CallFacts
from hub.metrics.lookups import Ground, Made, cases_of
from hub.metrics.values import Tally
from hub.storage import Tx

_ALIKE: Final = (
    InvocationRow.environment,
    InvocationRow.server,
    InvocationRow.agent_id,
    InvocationRow.agent_version,
    InvocationRow.on_behalf_of_id,
    InvocationRow.tool_id,
    InvocationRow.tool_version_id,
    InvocationRow.state,
    InvocationRow.error_code,
    InvocationRow.part_of,
    InvocationRow.run_id,
    InvocationRow.case_key,
)


async def count_reads(ground: Ground, tally: Tally) -> None:
    """Add the reads of the window to `tally`; it is cut where an assignment changes the cost centre of some."""
    for window in ground.window.split(ground.assignments.moments):
        part = replace(ground, window=window)
        query = select(*_ALIKE, func.count()).where(part.calls, InvocationRow.effect == Effect.READ.value)
        rows = await _rows(ground.tx, query.group_by(*_ALIKE))
        cases = await cases_of(ground.tx, {(row.agent_id, row.run_id) for row in rows if row.run_id is not None})
        declared = await part.declared({row.tool_version_id for row in rows})
        for row in rows:
            case_key = row.case_key if row.run_id is None else cases.get((row.agent_id, row.run_id))
            call = CallFacts(
                state=State(row.state),
                is_read=True,
                by_agent=row.agent_version > 0,
                is_part=row.part_of is not None,
                error_code=row.error_code,
                cost=declared[row.tool_version_id].cost,
                case_key=case_key,
            )
            part.put(tally, _made(part, row), call, times=row[-1])


async def _rows(tx: Tx, query: Select[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
    return (await tx.execute(query)).all()


def _made(ground: Ground, row: Row[*tuple[Any, ...]]) -> Made:
    return Made(
        at=ground.window.begins,
        environment=row.environment,
        server=row.server,
        agent_id=row.agent_id,
        user_id=row.on_behalf_of_id,
        tool_id=row.tool_id,
    )
