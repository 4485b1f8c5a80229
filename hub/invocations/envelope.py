"""What a caller is told about an invocation: one table from every state to a status, and the words that go with it.

The text alone must suffice: many models see nothing else (wire, "What `tools/call` returns").
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from sqlalchemy import ColumnElement, and_, or_

from connectors.sdk.errors import Unavailable
from connectors.sdk.vocabulary import Effect
from hub.approvals import Choice, Counter, Waiting, in_words
from hub.approvals.rules import asked_in, stages
from hub.budgets import OutOfReach, OverBudget, RunOver
from hub.invocations.braking import Stopped
from hub.invocations.states import DONE, REJECTION_REMEMBERED, State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.policy import REQUESTER

Json = Any
"""Any JSON value."""

_FOR_NOW: Final = frozenset({Unavailable.code, OverBudget.code, OutOfReach.code, Stopped.code})
"""Refused now, and perhaps not later; of a limit the words say from when on."""
_NOT_BY_POLICY: Final = _FOR_NOW | {RunOver.code, "masked_argument"}
_NOT_ASKED_YET: Final = frozenset({State.PREVIEWING, State.STALE})
STEP_IN_DOUBT: Final = "step_in_doubt"
"""Why a plan under way waits: nobody knows yet whether one of its steps has happened."""
ERASED: Final = "What was said of it was erased."
POLL_AFTER_SECONDS: Final = 30
RUNNING_POLL_SECONDS: Final = 3


class Status(StrEnum):
    """What an envelope says; `DONE` has no envelope: the tool's own result is the answer."""

    RUNNING = "running"
    PENDING_APPROVAL = "pending_approval"
    IN_DOUBT = "in_doubt"
    DONE = "done"
    REFUSED = "refused"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one state looks from outside: the envelope's status, a task's status, and whether it is an error."""

    status: Status
    task: str
    is_error: bool
    retryable: bool = False


_JOINED: Final = (
    "This call repeats an earlier one and was not carried out again; if it is meant once more, give it an idempotency "
    "key of its own."
)
_KEYED: Final = "It was carried out once, under the idempotency key of this call."
_RUNNING = Standing(status=Status.RUNNING, task="working", is_error=False)
_DONE = Standing(status=Status.DONE, task="completed", is_error=False)
_FAILED = Standing(status=Status.FAILED, task="completed", is_error=True)
_BROKEN = Standing(status=Status.FAILED, task="failed", is_error=True)
"""Of reads alone: some clients answer an error of the protocol with the same call, and no write must come again."""
_REFUSED = Standing(status=Status.REFUSED, task="completed", is_error=True)

STANDINGS: Final[Mapping[State, Standing]] = {
    State.RECEIVED: _RUNNING,
    State.PREVIEWING: _RUNNING,
    State.STALE: _RUNNING,
    State.APPROVED: _RUNNING,
    State.COMMITTING: _RUNNING,
    State.SENT: _RUNNING,
    State.RESENDING: _RUNNING,
    State.AWAITING_APPROVAL: Standing(status=Status.PENDING_APPROVAL, task="working", is_error=False),
    # neither done nor not done: saying either could be false
    State.IN_DOUBT: Standing(status=Status.IN_DOUBT, task="working", is_error=False),
    State.SUCCEEDED: _DONE,
    State.COMMITTED: _DONE,
    State.VERIFIED: _DONE,
    State.DIVERGED: _DONE,
    State.UNVERIFIABLE: _DONE,
    State.DENIED: _REFUSED,
    State.PREVIEW_FAILED: _FAILED,
    State.FAILED: _FAILED,
    State.NOT_APPLIED: Standing(status=Status.FAILED, task="completed", is_error=True, retryable=True),
    State.REJECTED: Standing(status=Status.REJECTED, task="completed", is_error=True),
    State.EXPIRED: Standing(status=Status.EXPIRED, task="completed", is_error=True, retryable=True),
    State.CANCELLED: Standing(status=Status.CANCELLED, task="cancelled", is_error=True, retryable=True),
    State.RESOLVED_BY_HUMAN: _DONE,
    State.UNDONE: Standing(status=Status.FAILED, task="completed", is_error=True, retryable=True),
    # something stands: to call again would do it twice
    State.PARTIAL: Standing(status=Status.PARTIAL, task="completed", is_error=True),
}
"""Every state, as `schemas/invocation.v1.json` publishes it."""


_OTHERWISE: Final[Mapping[State, tuple[str | None, State]]] = {
    State.RESOLVED_BY_HUMAN: (None, State.NOT_APPLIED),
    State.SENT: (STEP_IN_DOUBT, State.IN_DOUBT),
}
"""With which error code (None: with any) a state looks like another one: what people looked into is what they found."""


def outward(invocation: Invocation) -> Standing:
    """Return how the invocation looks from outside."""
    code, other = _OTHERWISE.get(invocation.state, (None, invocation.state))
    if other is not invocation.state and invocation.error_code is not None and code in {None, invocation.error_code}:
        return STANDINGS[other]
    if invocation.state is State.FAILED and invocation.effect is Effect.READ and invocation.rpc_code is not None:
        return _BROKEN
    return STANDINGS[invocation.state]


def looks_like(status: Status) -> ColumnElement[bool]:
    """Return the condition that the invocation in a row has `status`: what `outward` says of it."""
    state, error_code = InvocationRow.state, InvocationRow.error_code
    states, conditions = {one for one, way in STANDINGS.items() if way.status is status}, list[ColumnElement[bool]]()
    for one, (code, other) in _OTHERWISE.items():
        is_other = error_code.is_not(None) if code is None else error_code.is_not_distinct_from(code)
        is_wanted = STANDINGS[other].status is status
        if is_wanted or one in states:
            conditions.append(or_(state != one.value, is_other if is_wanted else ~is_other))
            states.add(one)
    return and_(state.in_(sorted(one.value for one in states)), *conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What goes back for one invocation."""

    status: Status
    text: str
    structured: Mapping[str, Json]
    is_error: bool


def envelope(invocation: Invocation, *, public_url: str) -> Envelope:
    """Return what the caller of `invocation` is told; `public_url` is where its page is found."""
    standing = outward(invocation)
    url = page_of(invocation, public_url)
    if standing.status is Status.DONE:
        return Envelope(status=Status.DONE, text=_done(invocation), structured=_result(invocation), is_error=False)
    if standing.is_error:
        structured = {
            "status": standing.status.value,
            "reason_code": invocation.error_code or invocation.state.value.lower(),
            "reason": invocation.error_message or (ERASED if invocation.erased_at else ""),
            "retryable": standing.retryable or invocation.error_code in _FOR_NOW,
            "invocation_id": invocation.id,
            "status_url": url,
            **_again(invocation),
            **_revision(invocation),
            **_steps(invocation),
        }
        return Envelope(status=standing.status, text=_ended(invocation), structured=structured, is_error=True)
    is_running = standing.status is Status.RUNNING
    text = _waiting(invocation, url)
    structured = {
        "status": standing.status.value,
        "message": text,  # some clients show their model nothing but this (Pydantic AI)
        "invocation_id": invocation.id,
        "poll_after_seconds": RUNNING_POLL_SECONDS if is_running else POLL_AFTER_SECONDS,
        "expires_at": invocation.expires_at.isoformat() if invocation.expires_at else None,
        "status_url": url,
        **_revision(invocation),
        **_steps(invocation),
    }
    kept = {name: value for name, value in structured.items() if value is not None}
    return Envelope(status=standing.status, text=text, structured=kept, is_error=False)


def page_of(invocation: Invocation, public_url: str) -> str:
    """Return where a person finds the invocation: while people are asked, where those who are asked may decide."""
    place = "approvals" if invocation.state is State.AWAITING_APPROVAL else "invocations"
    return f"{public_url.rstrip('/')}/{place}/{invocation.id}"


def awaits_requester(invocation: Invocation) -> bool:
    """Return whether the person the agent acts for has to confirm the invocation before anything else happens."""
    question = invocation.question
    return invocation.state is State.AWAITING_APPROVAL and question is not None and question.awaits_requester


def retry_after_seconds(invocation: Invocation) -> int | None:
    """Return how long after its refusal the same call may come through; None: nobody knows that."""
    if invocation.error_code not in {OverBudget.code, OutOfReach.code} or invocation.retry_at is None:
        return None
    return max(1, math.ceil((invocation.retry_at - invocation.updated_at).total_seconds()))


def _again(invocation: Invocation) -> dict[str, Json]:
    seconds = retry_after_seconds(invocation)
    return {} if seconds is None else {"retry_after_seconds": seconds}


def _result(invocation: Invocation) -> Mapping[str, Json]:
    if invocation.erased_at is not None:
        return {"erased_at": invocation.erased_at.isoformat()}
    output = invocation.output
    return cast("Mapping[str, Json]", output) if isinstance(output, Mapping) else {"result": output}


def _done(invocation: Invocation) -> str:
    hidden = _masked(invocation) + _erased(invocation)
    if invocation.state not in DONE | {State.RESOLVED_BY_HUMAN}:
        return hidden.strip()
    joined = f" {_KEYED if invocation.is_keyed else _JOINED}" if invocation.repeats else ""
    if invocation.taken_back_by:
        joined += f" It has been taken back since, by invocation {invocation.taken_back_by}."
        joined += " What is meant once more needs another key." if invocation.is_keyed else ""
    notes = f" Note: {'; '.join(invocation.findings)}" if invocation.findings else ""
    return f"Done, and on record as invocation {invocation.id}.{joined}{notes}{hidden}{_revised(invocation)}"


def _masked(invocation: Invocation) -> str:
    if not invocation.masked:
        return ""
    classes = ", ".join(invocation.masked)
    return f" Policy does not let you see values of the class {classes}: they are masked. Do not send the markers back."


def _erased(invocation: Invocation) -> str:
    return f" What it returned was erased on {invocation.erased_at:%Y-%m-%d}." if invocation.erased_at else ""


def _ended(invocation: Invocation) -> str:
    said = {
        State.DENIED: "Refused; nothing was changed."
        if invocation.error_code in _NOT_BY_POLICY
        else "Refused by policy; nothing was changed.",
        State.PREVIEW_FAILED: "It could not be previewed, so nothing was changed.",
        State.FAILED: "It failed; nothing was changed.",
        State.NOT_APPLIED: "It did not arrive; nothing was changed.",
        State.RESOLVED_BY_HUMAN: "It did not happen; nothing was changed.",
        State.REJECTED: f"{_rejecter(invocation)} it; nothing was changed. Do not send the same call again.",
        State.EXPIRED: "It expired; nothing was changed.",
        State.CANCELLED: "It was cancelled; nothing was changed.",
        State.UNDONE: "It was not carried out to its end, and what had been done was taken back again.",
        State.PARTIAL: "It was carried out in part, and a part of it stands. Do not make this call again.",
    }[invocation.state]
    if invocation.state is State.REJECTED and invocation.repeats:
        until = invocation.updated_at + REJECTION_REMEMBERED
        who = _rejecter(invocation)
        said = f"{who} this same call before, and nobody is asked again before {until:%Y-%m-%d %H:%M}Z."
    why = f" Reason: {invocation.error_message}" if invocation.error_message else ""
    return f"{said}{why} (invocation {invocation.id}){_revised(invocation)}"


def _rejecter(invocation: Invocation) -> str:
    votes = invocation.question.votes if invocation.question else ()
    is_own = any(vote.choice is Choice.REJECT and REQUESTER in vote.groups for vote in votes)
    return "The person you act for declined" if is_own else "An approver rejected"


def _waiting(invocation: Invocation, url: str) -> str:
    ask = f"To see how it stands, call hub_invocation_get with id {invocation.id}; do not make this call again."
    if invocation.progress:
        return _under_way(invocation, ask)
    if invocation.state is State.IN_DOUBT:
        return (
            f"It was sent, and no answer tells whether it was done: it may or may not have happened (invocation "
            f"{invocation.id}). The hub or an operator is finding out. {ask}"
        )
    if invocation.state is State.APPROVED and invocation.error_code in _FOR_NOW:
        return f"It is approved and waits (invocation {invocation.id}). {invocation.error_message} {ask}"
    if invocation.state in _NOT_ASKED_YET:
        return (
            f"It is being previewed; nothing has been changed (invocation {invocation.id}).{_revised(invocation)} {ask}"
        )
    if invocation.state is not State.AWAITING_APPROVAL:
        return f"It is being carried out (invocation {invocation.id}).{_revised(invocation)} {ask}"
    until = f" until {invocation.expires_at:%Y-%m-%d %H:%M}Z" if invocation.expires_at else ""
    repeats = "This is the call you made before. " if invocation.repeats else ""
    needed, at_url = f"{_who(invocation)} must approve it", "A person can decide"
    if awaits_requester(invocation):
        needed, at_url = f"{_who(invocation)} must agree", "Tell the person you act for to confirm or decline it"
    return (
        f"{repeats}Nothing has been changed yet: {needed}{until}"
        f" (invocation {invocation.id})."
        f"{_lacking(invocation)}{_revised(invocation)} What will happen then: {what_will_happen(invocation)}."
        f" {ask} Ask again in {POLL_AFTER_SECONDS} seconds or later."
        f" {at_url} at {url}."
    )


def _lacking(invocation: Invocation) -> str:
    """Say that nobody can decide it as things are; whoever asks may know whom to tell."""
    if not invocation.lacking:
        return ""
    told = " ".join(one.told for one in invocation.lacking)
    return f" {told} It waits until an administrator adds somebody, or expires."


def _under_way(invocation: Invocation, ask: str) -> str:
    """Say how far a plan has got."""
    told = "; ".join(f"{one.number} {one.name}: {one.status.value.replace('_', ' ')}" for one in invocation.progress)
    if outward(invocation).status is Status.IN_DOUBT:
        why = "One of its steps was sent and the answer was lost; everything waits until that is found out."
    elif invocation.stop_reason is not None:
        why = f"It goes no further ({invocation.stop_reason}), and what was done is being taken back."
    else:
        why = "It is being carried out."
    return f"{why} Its steps (invocation {invocation.id}): {told}. {ask}"


def _steps(invocation: Invocation) -> dict[str, Json]:
    """Return how the steps of a plan stand, for programs."""
    return {"steps": [one.as_json() for one in invocation.progress]} if invocation.progress else {}


def _who(invocation: Invocation) -> str:
    question = invocation.question
    if question is None:
        return "somebody else"
    standing = question.standing
    if not isinstance(standing, Waiting):
        return "somebody else"
    later = [one for one in question.obligations if one.stage > standing.stage]
    asked_later = [{one.group: one.count for one in asked_in(later, stage)} for stage in stages(later)]
    return ", then ".join(in_words(question.obligations, missing) for missing in (standing.missing, *asked_later))


def _revised(invocation: Invocation) -> str:
    """Say which arguments are no longer what the agent asked for, and in which role somebody changed them."""
    if not invocation.counters or invocation.erased_at is not None:
        return ""
    asked, wanted = invocation.counters[0].before, invocation.counters[-1].after
    names = sorted(name for name in asked.keys() | wanted.keys() if _given(asked, name) != _given(wanted, name))
    changes = ", ".join(f"{name} from {_given(asked, name)} to {_given(wanted, name)}" for name in names)
    return f" {_by(invocation.counters[-1]).capitalize()} changed the arguments: {changes or 'back to what you sent'}."


def _given(arguments: Mapping[str, Json], name: str) -> str:
    return json.dumps(arguments[name], ensure_ascii=False) if name in arguments else "nothing"


def _by(counter: Counter) -> str:
    return f"an approver of {' and '.join(sorted(counter.groups))}"


def _revision(invocation: Invocation) -> dict[str, Json]:
    """Return the same for programs."""
    if not invocation.counters or invocation.erased_at is not None:
        return {}
    last = invocation.counters[-1]
    changed = {"by": _by(last), "revision": last.revision}
    return {"changed_arguments": {**changed, "asked_for": invocation.counters[0].before, "now": last.after}}


def what_will_happen(invocation: Invocation) -> str:
    """Return in a few words what its preview shows, said by the hub and not by the agent."""
    if invocation.preview is None:
        return invocation.tool_name
    changes = invocation.preview.preview.changes
    named = ", ".join(f"{change.effect.value} {change.target}" for change in changes[:5])
    more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""  # noqa: PLR2004  # the five named above
    return f"{named}{more}" or invocation.tool_name
