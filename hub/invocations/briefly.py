"""How an invocation that has not ended stands, in one line: for tasks, progress, and whoever waits."""

from typing import Final

from hub.approvals import Waiting
from hub.approvals.rules import asked_in
from hub.invocations.envelope import Status, awaits_requester, outward, page_of
from hub.invocations.states import State
from hub.invocations.values import Invocation

TOO_LATE: Final = "It was too late to call it off: it has been sent. "
_UNDER_WAY: Final = {
    State.RECEIVED: "On record; nothing has been done yet.",
    State.PREVIEWING: "Being previewed; nothing has been changed.",
    State.STALE: "Something changed meanwhile; a new preview follows, and nothing has been changed.",
    State.APPROVED: "Approved, and about to be carried out.",
    State.COMMITTING: "Being checked once more; nothing has been sent.",
}
_SENT: Final = "Sent; the answer is awaited."
_IN_DOUBT: Final = "Sent, and no answer tells whether it was done: the hub or an operator is finding out."


def briefly(invocation: Invocation) -> str:
    """Return the line; of one that waits for people: for whom, how many of them have agreed, and until when."""
    if awaits_requester(invocation):
        return f"Waiting for the person you act for to confirm it{_until(invocation)}"
    if invocation.state is State.AWAITING_APPROVAL:
        return f"Waiting for {_whom(invocation)}{_until(invocation)}"
    if outward(invocation).status is Status.IN_DOUBT:
        return _IN_DOUBT
    if invocation.state is State.APPROVED and invocation.error_message:
        return f"Approved, and held back: {invocation.error_message}"
    return _UNDER_WAY.get(invocation.state, _SENT)


def with_link(invocation: Invocation, public_url: str) -> str:
    """Return the line, and where the person it is done for confirms it if that is what it waits for."""
    if not awaits_requester(invocation):
        return briefly(invocation)
    url = page_of(invocation, public_url)
    return f"Waiting for the person you act for to confirm it at {url}{_until(invocation)}"


def _whom(invocation: Invocation) -> str:
    question = invocation.question
    if question is None or not isinstance(question.standing, Waiting):
        return "people"
    missing = question.standing.missing
    asked = asked_in(question.obligations, question.stage)
    given = [(one.whom, one.count - missing.get(one.group, 0), one.count) for one in asked]
    return " and ".join(f"{whom} ({done} of {needed})" for whom, done, needed in given)


def _until(invocation: Invocation) -> str:
    question = invocation.question
    if question is None:
        return ""
    ends = question.expires_at
    form = "%H:%MZ" if ends.date() == question.opened_at.date() else "%Y-%m-%d %H:%MZ"
    return f", expires {ends.strftime(form)}"
