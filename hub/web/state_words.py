"""States and events in people's words: where an invocation stands, and what has happened to it."""

from collections.abc import Mapping
from typing import Final

from hub.audit import EventKind
from hub.invocations.states import State
from hub.web.wording import Word

TAKEN_BACK_SINCE: Final = Word(
    label="Done, and taken back since",
    meaning="The system had carried it out. Another call has taken it back.",
    tone="neutral",
)
"""Of what an undo has taken back; the state that it ended in stays on record."""
STATES: Final[Mapping[State, Word]] = {
    State.RECEIVED: Word(label="Received", meaning="The call is on record; nothing has been done yet.", tone="info"),
    State.DENIED: Word(label="Refused by policy", meaning="A rule forbids it. Nothing was changed.", tone="bad"),
    State.SUCCEEDED: Word(label="Answered", meaning="It was read, and the answer went back.", tone="good"),
    State.PREVIEWING: Word(
        label="Being previewed",
        meaning="The hub is finding out what it would change. Nothing was changed.",
        tone="info",
    ),
    State.PREVIEW_FAILED: Word(
        label="Could not be previewed", meaning="What cannot be previewed is not done. Nothing was changed.", tone="bad"
    ),
    State.AWAITING_APPROVAL: Word(
        label="Waiting for approval", meaning="Nothing has been changed. People have to agree first.", tone="warn"
    ),
    State.APPROVED: Word(
        label="Approved, not yet carried out", meaning="It may be written exactly as previewed.", tone="info"
    ),
    State.REJECTED: Word(label="Rejected", meaning="Somebody said no. Nothing was changed.", tone="bad"),
    State.EXPIRED: Word(
        label="Expired", meaning="Its time ran out. Nothing was changed, and it can no longer be.", tone="neutral"
    ),
    State.CANCELLED: Word(label="Cancelled", meaning="It was called off. Nothing was changed.", tone="neutral"),
    State.STALE: Word(
        label="Overtaken",
        meaning="Something changed since the preview, so the approval is void. Nothing was changed; a new "
        "preview follows.",
        tone="warn",
    ),
    State.COMMITTING: Word(
        label="About to be sent", meaning="Everything is being checked once more. Nothing was sent yet.", tone="info"
    ),
    State.SENT: Word(
        label="Sent, answer awaited", meaning="The request has left; its outcome is not known yet.", tone="warn"
    ),
    State.RESENDING: Word(
        label="Being sent again",
        meaning="The answer was lost. The same request is sent again in a way that cannot take effect twice.",
        tone="warn",
    ),
    State.IN_DOUBT: Word(
        label="In doubt",
        meaning="It was sent, and no answer tells whether it was done: it may or may not have happened. The hub or an "
        "operator is finding out.",
        tone="bad",
    ),
    State.NOT_APPLIED: Word(
        label="Did not arrive", meaning="It turned out that the system never carried it out.", tone="neutral"
    ),
    State.FAILED: Word(
        label="Failed", meaning="The system refused it, or could not be reached. Nothing was changed.", tone="bad"
    ),
    State.COMMITTED: Word(label="Done", meaning="The system has carried it out.", tone="good"),
    State.VERIFIED: Word(
        label="Done and verified",
        meaning="The system has carried it out, and read back it is what the preview said.",
        tone="good",
    ),
    State.DIVERGED: Word(
        label="Done, but not as previewed",
        meaning="The system has carried it out, and read back it differs from the preview. The tool's tier was raised "
        "until its owner has looked.",
        tone="bad",
    ),
    State.UNVERIFIABLE: Word(
        label="Done, not verifiable",
        meaning="The system has carried it out. It could not be read back to compare.",
        tone="warn",
    ),
    State.RESOLVED_BY_HUMAN: Word(
        label="Done, as a person found",
        meaning="No answer told whether it was done. A person looked in the system, and put on record that it was.",
        tone="good",
    ),
    State.UNDONE: Word(
        label="Taken back",
        meaning="Not all of its steps could be carried out. What had been done was taken back, step by step, and read "
        "back.",
        tone="neutral",
    ),
    State.PARTIAL: Word(
        label="Done in part",
        meaning="Not all of its steps could be carried out, and not all that had been done could be taken back. The "
        "steps that stand are named.",
        tone="bad",
    ),
}

FOUND_NOT_DONE: Final = Word(
    label="Not done, as a person found",
    meaning="No answer told whether it was done. A person looked in the system, and put on record that it was not.",
    tone="neutral",
)
"""Of what people settled so: the state is the same, and says which of both with its error code."""
PLAN_UNDER_WAY: Final = Word(
    label="Being carried out", meaning="Its steps are carried out one after the other.", tone="warn"
)
PLAN_TAKEN_BACK: Final = Word(
    label="Being taken back",
    meaning="It goes no further; what was done is taken back, the last step first.",
    tone="warn",
)

EVENTS: Final[Mapping[EventKind, Word]] = {
    EventKind.INVOCATION_RECEIVED: Word(label="Received", meaning="", tone="info"),
    EventKind.INVOCATION_READ: Word(label="Read and answered", meaning="", tone="good"),
    EventKind.INVOCATION_DENIED: Word(label="Refused by policy", meaning="", tone="bad"),
    EventKind.INVOCATION_REFUSED: Word(label="Refused", meaning="", tone="bad"),
    EventKind.INVOCATION_PREVIEWING: Word(label="Preview begun", meaning="", tone="info"),
    EventKind.INVOCATION_PREVIEWED: Word(label="Previewed", meaning="", tone="info"),
    EventKind.INVOCATION_PREVIEW_FAILED: Word(label="Preview failed", meaning="", tone="bad"),
    EventKind.INVOCATION_APPROVAL_REQUESTED: Word(label="Approval asked for", meaning="", tone="warn"),
    EventKind.INVOCATION_APPROVED: Word(label="Approved", meaning="", tone="good"),
    EventKind.INVOCATION_REJECTED: Word(label="Rejected", meaning="", tone="bad"),
    EventKind.INVOCATION_EXPIRED: Word(label="Expired", meaning="", tone="neutral"),
    EventKind.INVOCATION_CANCELLED: Word(label="Cancelled", meaning="", tone="neutral"),
    EventKind.INVOCATION_STALE: Word(label="Overtaken by a change", meaning="", tone="warn"),
    EventKind.COMMIT_CLAIMED: Word(label="Taken up to be carried out", meaning="", tone="info"),
    EventKind.COMMIT_RELEASED: Word(label="Put back, nothing sent", meaning="", tone="neutral"),
    EventKind.COMMIT_SENT: Word(label="Sent to the system", meaning="", tone="info"),
    EventKind.COMMIT_RESENDING: Word(label="To be sent again", meaning="", tone="warn"),
    EventKind.COMMIT_COMMITTED: Word(label="Carried out", meaning="", tone="good"),
    EventKind.COMMIT_FAILED: Word(label="Not carried out", meaning="", tone="bad"),
    EventKind.COMMIT_IN_DOUBT: Word(label="In doubt", meaning="", tone="bad"),
    EventKind.COMMIT_NOT_APPLIED: Word(label="Found not to have arrived", meaning="", tone="neutral"),
    EventKind.COMMIT_VERIFIED: Word(label="Read back and verified", meaning="", tone="good"),
    EventKind.COMMIT_DIVERGED: Word(label="Read back and different", meaning="", tone="bad"),
    EventKind.COMMIT_UNVERIFIABLE: Word(label="Could not be read back", meaning="", tone="warn"),
    EventKind.COMMIT_RESOLVED: Word(label="Settled by a person", meaning="", tone="neutral"),
    EventKind.INVOCATION_ALARMED: Word(label="Found unusual by a rule", meaning="", tone="warn"),
    EventKind.INVOCATION_SUPERSEDED: Word(label="Other arguments proposed", meaning="", tone="warn"),
    EventKind.APPROVAL_REMINDED: Word(label="People were reminded", meaning="", tone="warn"),
    EventKind.APPROVAL_ESCALATED: Word(label="Others were told that it waits", meaning="", tone="warn"),
    EventKind.VOTE_CAST: Word(label="A vote", meaning="", tone="info"),
    EventKind.VOTE_REFUSED: Word(label="A vote was not counted", meaning="", tone="bad"),
    EventKind.GLASS_BROKEN: Word(label="Let go without approval: the glass was broken", meaning="", tone="bad"),
    EventKind.GLASS_REFUSED: Word(label="An attempt to break the glass", meaning="", tone="bad"),
    EventKind.REVIEW_PASSED: Word(label="Reviewed afterwards, and found right", meaning="", tone="good"),
    EventKind.REVIEW_DISPUTED: Word(label="Disputed by a reviewer", meaning="", tone="bad"),
    EventKind.PLAN_STEP_DECIDED: Word(label="A step was decided on", meaning="", tone="info"),
    EventKind.PLAN_STOPPED: Word(label="Stopped; what was done is taken back", meaning="", tone="warn"),
    EventKind.PLAN_UNDONE: Word(label="Taken back", meaning="", tone="neutral"),
    EventKind.PLAN_PARTIAL: Word(label="Ended in part", meaning="", tone="bad"),
    EventKind.BODIES_SENT: Word(label="Told in Slack, outside the hub", meaning="", tone="neutral"),
    EventKind.BODIES_READ: Word(
        label="Opened by somebody who neither asked for it nor decides about it", meaning="", tone="neutral"
    ),
}


VOTES: Final[Mapping[tuple[EventKind, str], Word]] = {
    (EventKind.VOTE_CAST, "approve"): Word(label="A vote to approve", meaning="", tone="good"),
    (EventKind.VOTE_CAST, "reject"): Word(label="A vote to reject", meaning="", tone="bad"),
    (EventKind.VOTE_REFUSED, "approve"): Word(label="A vote to approve was not counted", meaning="", tone="bad"),
    (EventKind.VOTE_REFUSED, "counter"): Word(label="A counter-proposal was not taken", meaning="", tone="bad"),
    (EventKind.VOTE_REFUSED, "reject"): Word(label="A vote to reject was not counted", meaning="", tone="bad"),
}
UNCOUNTED: Final[Mapping[str, str]] = {
    "changed_since_seen": "what it was about had changed",
    "conflict": "the question was closed, or they had voted before",
    "forbidden": "they may not decide this",
    "fresh_login_needed": "it needs a fresh login",
    "input_invalid": "its reason was missing or too long",
}
"""Why a vote was not counted, by the code of the refusal."""


def vote_word(kind: EventKind, choice: str) -> Word:
    """Return the words for a vote and what it was for."""
    return VOTES.get((kind, choice)) or EVENTS[kind]


def found_word(*, was_done: bool) -> Word:
    """Return the words for what an operator found of a write in doubt."""
    return Word(
        label="Found done" if was_done else "Found not done", meaning="", tone="good" if was_done else "neutral"
    )


def event_word(kind: EventKind) -> Word:
    """Return the words for an event; one that is not about an invocation is shown by its name."""
    return EVENTS.get(kind) or Word(label=kind.value, meaning="")
