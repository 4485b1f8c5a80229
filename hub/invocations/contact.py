"""Whether calls reach the systems they are for: what each run of a connector tells of it, kept for all processes."""

import asyncio
from typing import Any

from connectors.sdk.errors import Unavailable
from hub import budgets, pins, registry
from hub.core.errors import NotFound
from hub.execution import Failed, Ran, Unknown, Unreachable
from hub.invocations.runtime import Runtime

_BROKEN = 500


async def note_contact(ran: Ran[Any], connection_id: str, runtime: Runtime) -> None:
    """Keep in mind that a call failed to reach its system, or that one did after others had failed.

    An answer of 500 and above is a failure, too. It may be about what the call was given; see `hub.budgets.outages`.
    """
    if changed := runtime.executor.take_changed():
        async with runtime.database.transaction() as tx:
            for one in sorted(changed):
                await pins.hurry(tx, one)
    problem = _problem(ran)
    if problem is not None:
        async with runtime.database.transaction() as tx:
            await budgets.note_failure(tx, runtime.database, connection_id, problem)
    elif _has_answered(ran) and await runtime.brakes.outage(connection_id) is not None:
        async with runtime.database.transaction() as tx:
            await budgets.note_answer(tx, runtime.database, connection_id)


async def look_after_connections(runtime: Runtime) -> int:
    """Check the connections that have failed three times in a row, or are unavailable; return how many.

    They are checked beside each other: one that does not answer delays no other.
    """
    async with runtime.database.transaction() as tx:
        due = await budgets.take_looks(tx)
    checks = await asyncio.gather(*(_check(one, runtime) for one in due), return_exceptions=True)
    for error in [one for one in checks if one is not None]:
        raise error  # of one; the others have been checked nevertheless
    return len(due)


async def _check(connection_id: str, runtime: Runtime) -> None:
    problem = await _look(connection_id, runtime)
    async with runtime.database.transaction() as tx:
        await budgets.found(tx, connection_id, problem, runtime.authority)


async def _look(connection_id: str, runtime: Runtime) -> str | None:
    """Return why a connection cannot be used now; one that is disabled or gone is nobody's problem."""
    try:
        async with runtime.database.reading() as tx:
            connection = await registry.get_connection(tx, connection_id)
            spec = await registry.spec_for(tx, connection)
    except NotFound:
        return None
    if not connection.is_enabled:
        return None
    health = await runtime.executor.check_connection(spec, connection)
    return health.message if isinstance(health, Unreachable) else None


def _problem(ran: Ran[Any]) -> str | None:
    last = ran.passage.transcript[-1] if ran.passage.transcript else None
    if last is not None and last.status is not None and last.status >= _BROKEN:
        return f"It answered {last.status}."
    match ran.outcome:
        case Failed(code=Unavailable.code) | Unknown():
            return str(ran.outcome.message)
        case _:
            return None


def _has_answered(ran: Ran[Any]) -> bool:
    return any(one.verdict == "answered" for one in ran.passage.transcript)
