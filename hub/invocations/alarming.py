"""What alarms of policy do to a write: they raise its tier, or suspend its agent; on record with the numbers, once."""

from typing import Any, Final

from sqlalchemy import update

from hub import outbox
from hub.audit import EventKind
from hub.core.errors import Conflict
from hub.identity.accounts import suspend_once
from hub.identity.directory import get
from hub.invocations.journal import Step, load, record_event
from hub.invocations.runtime import Runtime
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.policy import Alarm, Decision, decided_tier
from hub.storage import Tx

Json = Any
"""Any JSON value."""

AGENT_SUSPENDED: Final = "agent.suspended"
"""The outbox topic of "an alarm has suspended an agent": for its owner."""


async def heed(previewed: Invocation, decision: Decision, runtime: Runtime) -> Invocation:
    """Do what the alarms of `decision` ask for, and return the write with the tier that it was decided on as.

    However many calls set an alarm off at the same moment, on however many processes, their agent is suspended once,
    and its owner told once. What has been heeded of this write already, say for its plan or for another step of it, is
    not heeded again.

    Raises:
        Conflict: the invocation has moved on.
    """
    known = {one["rule"] for one in previewed.alarms}
    fresh = [alarm for alarm in decision.alarms if alarm.rule_id not in known]
    tier = max(previewed.tier, decided_tier(decision), key=lambda one: one.rank) if decision.alarms else previewed.tier
    if not fresh and tier is previewed.tier:
        return previewed
    numbers = _numbers(decision)
    async with runtime.database.transaction() as tx:
        alarms = [{"rule": alarm.rule_id, "why": alarm.why} for alarm in fresh or decision.alarms]
        where = (
            InvocationRow.id == previewed.id,
            InvocationRow.state == previewed.state.value,
            InvocationRow.revision == previewed.revision,
            InvocationRow.fence == previewed.fence,
        )
        changes = {
            "tier": tier.value,
            "alarms": [*previewed.alarms, *(one for one in alarms if one["rule"] not in known)],
        }
        raised = update(InvocationRow).where(*where).values(changes).returning(InvocationRow.id)
        if await tx.scalar(raised) is None:
            raise Conflict("This invocation has moved on in the meantime.")
        stopping = [alarm for alarm in fresh if alarm.suspends]
        suspended_by = [alarm.rule_id for alarm in stopping]
        facts = {"alarms": alarms, "raised_to": tier.value, "suspended_by": suspended_by, "numbers": numbers}
        await record_event(
            tx, runtime, previewed, Step(to=previewed.state, event=EventKind.INVOCATION_ALARMED, facts=facts)
        )
        await _suspend(tx, previewed, stopping, numbers, runtime)
        return await load(tx, previewed.id)


async def _suspend(
    tx: Tx, previewed: Invocation, alarms: list[Alarm], numbers: dict[str, Json], runtime: Runtime
) -> None:
    if not alarms:
        return
    counted = ", ".join(f"{name} {number}" for name, number in numbers.items())
    reason = f"{'; '.join(alarm.why for alarm in alarms)} (invocation {previewed.id}: {counted})"
    if not await suspend_once(tx, previewed.agent_id, reason, runtime.authority):
        return
    agent = await get(tx, previewed.agent_id)
    payload = {
        "invocation_id": previewed.id,
        "agent_id": previewed.agent_id,
        "rules": [alarm.rule_id for alarm in alarms],
        "owners": [agent.owner_id] if agent.owner_id else [],
    }
    await outbox.put(tx, topic=AGENT_SUSPENDED, payload=payload, key=previewed.id)


def _numbers(decision: Decision) -> dict[str, Json]:
    """Return what was counted for the decision, and the money that would move."""
    facts = decision.facts
    money = facts.preview.money_minor if facts.preview else 0
    return {**dict(sorted(facts.history.items())), "money_minor": money}
