"""Refusing a call: on record with the rules and their reasons, and told to the caller as a result."""

from dataclasses import dataclass

from hub.audit import Event, EventKind, append
from hub.core.errors import HubError
from hub.identity.principals import Caller
from hub.invocations.journal import Step, event_of, move, snapshot
from hub.invocations.request import Request, new_row
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import recorded_arguments
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.policy import Denied

REASON_CODE = "denied_by_policy"
LONGEST_NAME = 64
"""As much of a name that nobody may have is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A call that did not get as far as an invocation: who tried to use what, where."""

    caller: Caller
    server: str
    tool: str
    trace_id: str


async def record_attempt(attempt: Attempt, refusal: HubError, runtime: Runtime) -> None:
    """Put on record that a call was turned away at the door, and by what error; never what its arguments were.

    Raises:
        Unavailable: it could not be recorded; say that instead of the refusal.
    """
    caller = attempt.caller
    event = Event(
        kind=EventKind.INVOCATION_REFUSED,
        subject=f"tool:{attempt.tool[:LONGEST_NAME]}",
        actor=caller.actor.id,
        agent=caller.actor.id,
        on_behalf_of=caller.on_behalf_of.id if caller.on_behalf_of else None,
        trace_id=attempt.trace_id,
        facts={"code": refusal.code, "server": attempt.server, "tool": attempt.tool[:LONGEST_NAME]},
    )
    async with runtime.database.transaction() as tx:
        await append(tx, event, runtime.keys)


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
