"""Looks: who is shown what a call says, and neither takes part in it nor in its decision, leaves an event first."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from connectors.sdk.vocabulary import Effect
from hub import approvals
from hub.audit import EventKind, events_of
from hub.identity.authority import Authority
from hub.identity.principals import Caller, PrincipalKind
from hub.invocations.queries import answers_for, is_known_by
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.storage import Tx, now

SHOWN: Final = ("arguments", "claims", "result")
_SETTLING: Final = frozenset({EventKind.COMMIT_RESOLVED, EventKind.GLASS_BROKEN})
ONE_LOOK: Final = timedelta(minutes=10)
"""Within this, whoever looks again at the same state of a call is still looking: pages are loaded more than once."""


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
            if not await _is_looking(tx, one, caller.actor.id):
                await authority.record(tx, EventKind.BODIES_READ, one.id, fields=SHOWN, as_of=one.last_event_id)


async def _is_outsider(caller: Caller, standing: Invocation, runtime: Runtime) -> bool:
    """Return whether somebody is no party of a call, and neither decides nor settles it, nor what it belongs to."""
    return not await is_known_by(_is_insider, runtime, caller, standing)


async def _is_insider(tx: Tx, caller: Caller, standing: Invocation) -> bool:
    if await answers_for(tx, caller, standing) or await _has_settled(tx, caller, standing):
        return True
    return standing.question is not None and await approvals.is_deciding(tx, caller.actor, standing.question)


async def _has_settled(tx: Tx, caller: Caller, standing: Invocation) -> bool:
    """Return whether somebody has found out what became of a call, or let it go without its approval."""
    if standing.effect is Effect.READ or caller.actor.kind is not PrincipalKind.USER:
        return False
    theirs = (one.kind for one in await events_of(tx, standing.id) if one.actor == caller.actor.id)
    return any(kind in _SETTLING for kind in theirs)


async def _is_looking(tx: Tx, shown: Invocation, person_id: str) -> bool:
    """Return whether somebody has just been shown the same: what came to light later, a result say, was not in it."""
    since = await now(tx) - ONE_LOOK
    looks = [one for one in await events_of(tx, shown.id) if one.kind is EventKind.BODIES_READ]
    mine = (one for one in looks if one.actor == person_id and one.at > since)
    return any(one.facts.get("as_of") == shown.last_event_id for one in mine)
