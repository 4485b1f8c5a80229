"""Reminders at half of the time allowed and escalation at three quarters: once each, whichever process comes first."""

from typing import Final

from hub import approvals, outbox
from hub.approvals import Question, Waiting
from hub.approvals.chasing import Chase
from hub.approvals.rules import asked_groups, asked_in, told_groups
from hub.audit import EventKind
from hub.invocations.journal import Step, hold, load, record_event
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.registry import read_current
from hub.storage import Tx

APPROVAL_REMINDED: Final = "approval.reminded"
"""The outbox topic of "half of the time is over, and you have not decided"."""
APPROVAL_ESCALATED: Final = "approval.escalated"
"""The outbox topic of "most of the time is over, and they have not decided"."""

_TOPICS: Final = {Chase.REMINDER: APPROVAL_REMINDED, Chase.ESCALATION: APPROVAL_ESCALATED}
_EVENTS: Final = {Chase.REMINDER: EventKind.APPROVAL_REMINDED, Chase.ESCALATION: EventKind.APPROVAL_ESCALATED}


async def chase_due(runtime: Runtime, *, limit: int = 100) -> int:
    """Remind of, and escalate, what has waited long enough; return how many messages that made."""
    async with runtime.database.reading() as tx:
        waiting = await approvals.to_be_chased(tx, limit=limit)
    made = 0
    for invocation_id, chase in waiting:
        async with runtime.database.transaction() as tx:
            made += await _chase(tx, invocation_id, chase, runtime)
    return made


async def _chase(tx: Tx, invocation_id: str, chase: Chase, runtime: Runtime) -> bool:
    await hold(tx, invocation_id)
    standing = await load(tx, invocation_id)
    question = standing.question
    if question is None or not isinstance(question.standing, Waiting):
        return False
    people = await _owner(tx, standing) if chase is Chase.ESCALATION and not told_groups(question.obligations) else ()
    if not await approvals.mark_chased(tx, question.digest, chase, people=people):
        return False  # somebody else was quicker, or it has been decided
    payload = _payload(question, chase, people)
    await outbox.put(tx, topic=_TOPICS[chase], payload=payload, key=question.digest)
    facts = {"approval_digest": question.digest, "groups": payload["groups"], "people": list(people)}
    step = Step(to=standing.state, event=_EVENTS[chase], facts=facts)
    await record_event(tx, runtime, standing, step)
    return True


async def _owner(tx: Tx, standing: Invocation) -> tuple[str, ...]:
    """Return the owner of the tool, if it has one: who is told where policy names nobody."""
    tool = await read_current(
        tx,
        standing.tool_version_id,
        standing.connection_id,
        server=standing.server,
        name=standing.tool_name,
    )
    return () if tool.tool.owner_id is None else (tool.tool.owner_id,)


def _payload(question: Question, chase: Chase, people: tuple[str, ...]) -> dict[str, object]:
    """Return whom a message is for, and whom they should hear about."""
    asked = sorted(asked_groups(asked_in(question.obligations, question.stage)))
    told = asked if chase is Chase.REMINDER else sorted(told_groups(question.obligations))
    return {
        "invocation_id": question.invocation_id,
        "approval_digest": question.digest,
        "groups": told,
        "people": list(people),
        "asked": asked,
        "stage": question.stage,
        "expires_at": question.expires_at.isoformat(),
    }
