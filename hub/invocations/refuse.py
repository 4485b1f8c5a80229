"""Refusing a call, by policy or by its owner's rules: on record with the reasons, told as a result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hub.audit import Event, EventKind, append
from hub.budgets import OutOfReach, OverBudget
from hub.core.errors import Forbidden, HubError
from hub.identity.principals import Caller
from hub.invocations.decisions import basis, on_record
from hub.invocations.journal import Step, event_of, move, snapshot
from hub.invocations.request import Request, new_row
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.policy import Decision, Denied

DENIED_BY_POLICY: Final = "denied_by_policy"
HOLDS_MARKER: Final = "masked_argument"
BREAKS_RULE: Final = "breaks_business_rule"
NO_RULE_ALLOWS: Final = "No rule of the policy allows this call."
AT_THE_DOOR: Final = "tool:"
"""How the subjects of those calls begin on record that did not get as far as an invocation."""
LONGEST_NAME: Final = 64
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
        subject=f"{AT_THE_DOOR}{attempt.tool[:LONGEST_NAME]}",
        actor=caller.actor.id,
        agent=caller.actor.id,
        on_behalf_of=caller.on_behalf_of.id if caller.on_behalf_of else None,
        trace_id=attempt.trace_id,
        facts={"code": refusal.code, "server": attempt.server, "tool": attempt.tool[:LONGEST_NAME]},
    )
    async with runtime.database.transaction() as tx:
        await append(tx, event, runtime.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a call goes no further: a stable code, reasons in their author's words, policy's decision if it was one."""

    code: str
    reasons: tuple[str, ...]
    decision: Decision | None = None
    retry_at: datetime | None = None
    """When the same call may come through, if a limit refused it."""

    @property
    def message(self) -> str:
        """What the caller is told."""
        return "; ".join(self.reasons)

    @property
    def facts(self) -> dict[str, Any]:
        """What its event says openly; of the reasons only those that a policy's author has written."""
        said = {} if self.decision is None else {**on_record(self.decision), "reasons": list(self.reasons)}
        return {**said, "code": self.code}

    @property
    def private(self) -> dict[str, Any]:
        """What its event keeps private."""
        return {"why": self.message} if self.decision is None else basis(self.decision)


def by_policy(denied: Denied) -> Refusal:
    """Return the refusal of a policy."""
    return Refusal(code=DENIED_BY_POLICY, reasons=denied.reasons or (NO_RULE_ALLOWS,), decision=denied)


def by_rules(broken: Sequence[str]) -> Refusal:
    """Return the refusal of a tool's owner, whose business rules a call breaks."""
    return Refusal(code=BREAKS_RULE, reasons=tuple(broken))


def by_marker() -> Refusal:
    """Return the refusal of a call that would write a marker where a value belongs."""
    told = "An argument holds a marker of a value that you were not shown, and would write the marker. Leave it out."
    return Refusal(code=HOLDS_MARKER, reasons=(told,))


def by_brakes(braked: HubError) -> Refusal:
    """Return the refusal of a limit or a kill switch."""
    retry_at = braked.frees_at if isinstance(braked, OverBudget | OutOfReach) else None
    return Refusal(code=braked.code, reasons=(braked.message,), retry_at=retry_at)


class NotByPolicy(Forbidden):
    """Policy does not let somebody do this; its decision goes on record with the refusal."""

    def __init__(self, words: str, denied: Denied) -> None:
        super().__init__(f"{words} {by_policy(denied).message}")
        self.decision = denied


def told_of(refusal: HubError) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the event of a refusal says openly, and what it keeps private: the decision, if policy made it."""
    said: dict[str, Any] = {"code": refusal.code}
    if not isinstance(refusal, NotByPolicy):
        return said, {}
    return said | on_record(refusal.decision), basis(refusal.decision)


async def refuse_at_once(request: Request, refusal: Refusal, runtime: Runtime) -> Invocation:
    """Record a call that may not even be proposed, and return it, DENIED."""
    row = new_row(request, state=State.DENIED)
    row.error_code, row.error_message, row.not_before = refusal.code, refusal.message, refusal.retry_at
    arguments = {"arguments": request.bound.shown}
    step = Step(
        to=State.DENIED,
        event=EventKind.INVOCATION_DENIED,
        facts=refusal.facts | request.way,
        private=arguments | refusal.private,
    )
    await runtime.records.record(row, event_of(snapshot(row), step))
    return snapshot(row)


async def refuse(standing: Invocation, refusal: Refusal, runtime: Runtime) -> Invocation:
    """Move a received write to DENIED."""
    changes: dict[str, Any] = {"error_code": refusal.code, "error_message": refusal.message, "lease_until": None}
    if refusal.decision is not None:
        changes["policy_digest"] = refusal.decision.bundle_digest
    step = Step(
        to=State.DENIED,
        event=EventKind.INVOCATION_DENIED,
        facts=refusal.facts,
        private=refusal.private,
        changes=changes,
    )
    async with runtime.database.transaction() as tx:
        return await move(tx, runtime, standing, step)
