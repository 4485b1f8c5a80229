"""Questions that can take effect no more, as another release or account has taken the place of what they ask about.

A question is overtaken when that is so, not when it has been answered: whoever reads it finds it closed, no vote that
agrees to it is counted, and a worker previews the call again and asks anew.
"""

from typing import Final

from sqlalchemy import select

from hub.core.errors import Conflict
from hub.invocations.conclude import stale
from hub.invocations.journal import hold, load, move
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import catalog_generation, why_replaced
from hub.storage import Tx

LOOKS_ANYWAY: Final = 60
"""After so many turns in which nothing was replaced all questions are looked through: one may have been asked about
what was replaced at that very moment.
"""


async def why_overtaken(tx: Tx, standing: Invocation) -> str:
    """Return in a clause why what people are asked can take effect no more; empty while it can, or nobody is asked."""
    if standing.state is not State.AWAITING_APPROVAL:
        return ""
    return await why_replaced(
        tx, standing.tool_version_id, standing.connection_id, generation=standing.connection_generation
    )


async def refuse_overtaken(tx: Tx, standing: Invocation) -> None:
    """Let nobody agree to what would not be carried out.

    Raises:
        Conflict: it is overtaken; the next reader finds it closed.
    """
    if why := await why_overtaken(tx, standing):
        raise Conflict(f"This was overtaken before you decided: {why}. Nothing was decided; it is previewed again.")


async def overtake(invocation_id: str, runtime: Runtime) -> Invocation:
    """Close the question of a call if it can take effect no more, and return how the call stands."""
    async with runtime.database.transaction() as tx:
        await hold(tx, invocation_id)
        standing = await load(tx, invocation_id)
        why = await why_overtaken(tx, standing)
        return await move(tx, runtime, standing, stale((why,), {})) if why else standing


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
        for invocation_id in overtaken:
            await overtake(invocation_id, self._runtime)
        self._known, self._idle = generation, 0  # last, so that what failed is tried again
        return len(overtaken)

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
        return found
