"""Questions that can take effect no more: what they ask about was replaced, or the leave taken back to ask for it.

A question is overtaken when that is so, not when it has been answered: whoever reads it finds it closed, no vote that
agrees to it is counted. What was replaced a worker previews again and asks anew; where there is no leave the call ends.
"""

from typing import Final

import structlog
from sqlalchemy import func, select

from hub.audit import EventKind
from hub.core.errors import Conflict
from hub.identity.leave_ends import leave_ended_since
from hub.invocations.callers import caller_of
from hub.invocations.conclude import stale
from hub.invocations.journal import Step, hold, load, move
from hub.invocations.leave import why_no_leave
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import catalog_generation, why_replaced
from hub.storage import Tx

_LOG: Final = structlog.get_logger(__name__)
_WAITING: Final = frozenset({State.AWAITING_APPROVAL, State.APPROVED})
LOOKS_ANYWAY: Final = 60
"""After so many turns in which nothing was replaced all questions are looked through: one may have been asked about
what was replaced at that very moment.
"""


async def why_overtaken(tx: Tx, standing: Invocation, *, public_url: str) -> str:
    """Return why what people are asked can take effect no more; empty while it can, or nobody is asked."""
    if standing.state is not State.AWAITING_APPROVAL:
        return ""
    return await _why_replaced(tx, standing) or await _why_no_leave(tx, standing, public_url)


async def refuse_overtaken(tx: Tx, standing: Invocation, *, public_url: str) -> None:
    """Let nobody agree to what would not be carried out.

    Raises:
        Conflict: it is overtaken; the next reader finds it closed.
    """
    if standing.state is not State.AWAITING_APPROVAL:
        return
    if why := await _why_replaced(tx, standing):
        raise Conflict(f"This was overtaken before you decided: {why}. Nothing was decided; it is previewed again.")
    if why := await _why_no_leave(tx, standing, public_url):
        raise Conflict(f"This ended before you decided: {why} Nothing was decided.")


async def _why_replaced(tx: Tx, standing: Invocation) -> str:
    return await why_replaced(
        tx, standing.tool_version_id, standing.connection_id, generation=standing.connection_generation
    )


async def _why_no_leave(tx: Tx, standing: Invocation, public_url: str) -> str:
    return await why_no_leave(tx, standing, await caller_of(tx, standing), public_url=public_url)


async def end_without_leave(tx: Tx, runtime: Runtime, waiting: Invocation) -> bool:
    """End a call that waits, though the leave to ask for it was taken back; return whether that is so.

    Its agent asks anew, by leave that it was given since: that is another call.
    """
    if waiting.state not in _WAITING:
        return False
    await hold(tx, waiting.id)
    standing = await load(tx, waiting.id)
    if standing.state not in _WAITING or not (why := await _why_no_leave(tx, standing, runtime.public_url)):
        return False
    await move(tx, runtime, standing, _ended(why))
    return True


def _ended(why: str) -> Step:
    changes = {"error_code": State.EXPIRED.value.lower(), "error_message": why, "lease_until": None}
    return Step(to=State.EXPIRED, event=EventKind.INVOCATION_EXPIRED, facts={"reason": why}, changes=changes)


async def overtake(invocation_id: str, runtime: Runtime) -> Invocation:
    """Close the question of a call if it can take effect no more, and return how the call stands."""
    async with runtime.database.transaction() as tx:
        await hold(tx, invocation_id)
        standing = await load(tx, invocation_id)
        if standing.state is not State.AWAITING_APPROVAL:
            return standing
        if why := await _why_replaced(tx, standing):
            return await move(tx, runtime, standing, stale((why,), {}))
        if why := await _why_no_leave(tx, standing, runtime.public_url):
            return await move(tx, runtime, standing, _ended(why))
        return standing


class Overtaking:
    """Closes what is overtaken though nobody reads it, as soon as something was replaced.

    What one process knows of that is memory, and saves work alone: the first turn of each looks through everything.
    """

    def __init__(self, runtime: Runtime) -> None:
        """Know nothing yet."""
        self._runtime = runtime
        self._known: int | None = None
        self._idle = 0

    async def turn(self) -> int:
        """Look through the questions if something may have been replaced; return how many were overtaken."""
        async with self._runtime.database.reading() as tx:
            generation = await catalog_generation(tx)
        if generation == self._known and self._idle < LOOKS_ANYWAY:
            self._idle += 1
            return 0
        overtaken = await self._overtaken()
        closed = [await self._closed(invocation_id) for invocation_id in overtaken]
        if None not in closed:
            self._known, self._idle = generation, 0  # last, so that what failed is tried again
        return closed.count(True)

    async def _closed(self, invocation_id: str) -> bool | None:
        """Return whether a question is closed now; None: that failed, which keeps no other one open."""
        try:
            return (await overtake(invocation_id, self._runtime)).state is not State.AWAITING_APPROVAL
        except Exception:  # noqa: BLE001  # whatever is wrong with one of them
            _LOG.exception("overtaking_failed", invocation=invocation_id)
            return None

    async def _overtaken(self) -> list[str]:
        about = (InvocationRow.tool_version_id, InvocationRow.connection_id, InvocationRow.connection_generation)
        waits = InvocationRow.state == State.AWAITING_APPROVAL.value
        found = list[str]()
        async with self._runtime.database.reading() as tx:
            for version, connection, generation in (await tx.execute(select(*about).where(waits).distinct())).all():
                if not await why_replaced(tx, version, connection, generation=generation):
                    continue
                same = [column == value for column, value in zip(about, (version, connection, generation), strict=True)]
                found += await tx.scalars(select(InvocationRow.id).where(waits, *same))
            since = func.coalesce(InvocationRow.leave_from, InvocationRow.created_at)
            ended = leave_ended_since(InvocationRow.on_behalf_of_id, InvocationRow.agent_id, since)
            found += await tx.scalars(select(InvocationRow.id).where(waits, ended))
        return found
