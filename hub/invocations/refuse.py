"""Refusing a call: on record with the rules and their reasons, and told to the caller as a result."""

from hub.audit import EventKind
from hub.invocations.journal import Step, event_of, move, snapshot
from hub.invocations.request import Request, new_row
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import recorded_arguments
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.policy import Denied

REASON_CODE = "denied_by_policy"


async def refuse_at_once(request: Request, decision: Denied, runtime: Runtime) -> Invocation:
    """Record a call that policy does not let even be proposed, and return it, DENIED."""
    row = new_row(request, state=State.DENIED)
    row.error_code, row.error_message = REASON_CODE, reasons(decision)
    step = Step(
        to=State.DENIED,
        event=EventKind.INVOCATION_DENIED,
        facts=_facts(decision),
        private={"arguments": recorded_arguments(request.tool, request.arguments)},
    )
    await runtime.records.record(row, event_of(snapshot(row), step))
    return snapshot(row)


async def refuse(standing: Invocation, decision: Denied, runtime: Runtime) -> Invocation:
    """Move a received write to DENIED."""
    changes = {
        "error_code": REASON_CODE,
        "error_message": reasons(decision),
        "policy_digest": decision.bundle_digest,
        "lease_until": None,
    }
    step = Step(to=State.DENIED, event=EventKind.INVOCATION_DENIED, facts=_facts(decision), changes=changes)
    async with runtime.database.transaction() as tx:
        return await move(tx, runtime, standing, step)


def reasons(decision: Denied) -> str:
    """Return why policy refuses, in the words of its rules."""
    return "; ".join(decision.reasons) or "No rule of the policy allows this call."


def _facts(decision: Denied) -> dict[str, list[str]]:
    return {"rule_ids": list(decision.rule_ids), "reasons": list(decision.reasons)}
