"""The same call as it was made before this one: done, perhaps done, or on its way; for whoever decides on it again."""

from typing import Final

from sqlalchemy import or_, select

from hub.invocations.aftermath import with_aftermath
from hub.invocations.history import may_have_happened
from hub.invocations.journal import load
from hub.invocations.states import State
from hub.invocations.tables import IS_WRITE, InvocationRow
from hub.invocations.values import Invocation
from hub.storage import Tx

_ON_ITS_WAY: Final = tuple(state.value for state in State if not state.is_terminal)


async def made_before(tx: Tx, standing: Invocation) -> Invocation | None:
    """Return the last earlier call with the same intent that happened, may have or still may, on whichever server.

    The intent is the same while agent, person, arguments, connection and the tool's version are.
    """
    same = (
        InvocationRow.intent_digest == standing.intent_digest,
        IS_WRITE,
        InvocationRow.id < standing.id,
        or_(may_have_happened(), InvocationRow.state.in_(_ON_ITS_WAY)),
    )
    found = await tx.scalar(select(InvocationRow.id).where(*same).order_by(InvocationRow.id.desc()).limit(1))
    return None if found is None else await with_aftermath(tx, await load(tx, found))
