"""Looks: who is shown what a call says, and takes no part in it, leaves an event that says so."""

from collections.abc import Iterable
from typing import Final

from hub.api.access import Acting
from hub.audit import EventKind
from hub.invocations.queries import takes_part
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation

_SHOWN: Final = ("arguments", "claims", "result")


async def note_looks(acting: Acting, invocations: Iterable[Invocation], runtime: Runtime) -> None:
    """Put on record which of the invocations are shown to somebody who is no party of them; before they are.

    Raises:
        Unavailable: it could not be recorded, so nothing may be shown.
    """
    others = [one for one in invocations if not takes_part(acting.caller, one)]
    if not others:
        return
    authority = acting.authority(runtime)
    async with runtime.database.transaction() as tx:
        for one in others:
            await authority.record(tx, EventKind.BODIES_READ, one.id, fields=_SHOWN)
