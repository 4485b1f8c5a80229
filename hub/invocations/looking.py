"""Looks: who is shown what a call says, and neither takes part in it nor is asked about it, leaves an event first."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from hub import approvals
from hub.audit import EventKind, events_of
from hub.identity.authority import Authority
from hub.identity.principals import Caller
from hub.invocations.queries import current, takes_part
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.storage import Tx, now

SHOWN: Final = ("arguments", "claims", "result")
ONE_LOOK: Final = timedelta(minutes=10)
"""Within this, whoever looks again is still looking: a page is loaded more often than it is looked at."""


async def note_looks(caller: Caller, invocations: Iterable[Invocation], authority: Authority, runtime: Runtime) -> None:
    """Put on record which of the invocations are shown to somebody whose business they are not; before they are.

    Raises:
        Unavailable: it could not be recorded, so nothing may be shown.
    """
    others = [one for one in invocations if await _is_outsider(caller, one, runtime)]
    if not others:
        return
    async with runtime.database.transaction() as tx:
        for one in others:
            if not await _is_looking(tx, one.id, caller.actor.id):
                await authority.record(tx, EventKind.BODIES_READ, one.id, fields=SHOWN)


async def _is_outsider(caller: Caller, standing: Invocation, runtime: Runtime) -> bool:
    """Return whether somebody is neither a party of a call, nor asked about it, nor of the call it belongs to."""
    if takes_part(caller, standing):
        return False
    async with runtime.database.reading() as tx:
        if standing.question is not None and await approvals.may_look(tx, caller.actor, standing.question):
            return False
    whole = standing.undoes or (standing.part.plan_id if standing.part else None)
    return whole is None or await _is_outsider(caller, await current(runtime, whole), runtime)


async def _is_looking(tx: Tx, invocation_id: str, person_id: str) -> bool:
    since = await now(tx) - ONE_LOOK
    looks = (one for one in await events_of(tx, invocation_id) if one.kind is EventKind.BODIES_READ)
    return any(one.actor == person_id and one.at > since for one in looks)
