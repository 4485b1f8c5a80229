"""States in people's words: where an invocation stands."""

from collections.abc import Mapping
from typing import Final

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
