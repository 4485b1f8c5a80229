"""The states of an invocation, and the only moves between them (governance, section 5)."""

from datetime import timedelta
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where an invocation stands; see `MOVES` for the way on from each."""

    RECEIVED = "RECEIVED"
    DENIED = "DENIED"
    SUCCEEDED = "SUCCEEDED"
    PREVIEWING = "PREVIEWING"
    PREVIEW_FAILED = "PREVIEW_FAILED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    STALE = "STALE"
    COMMITTING = "COMMITTING"
    SENT = "SENT"
    RESENDING = "RESENDING"
    IN_DOUBT = "IN_DOUBT"
    NOT_APPLIED = "NOT_APPLIED"
    FAILED = "FAILED"
    COMMITTED = "COMMITTED"
    VERIFIED = "VERIFIED"
    DIVERGED = "DIVERGED"
    UNVERIFIABLE = "UNVERIFIABLE"
    RESOLVED_BY_HUMAN = "RESOLVED_BY_HUMAN"
    UNDONE = "UNDONE"
    """Of a plan: a step failed, and every step before it was taken back."""
    PARTIAL = "PARTIAL"
    """Of a plan: a step failed, and some of those before it stand."""

    @property
    def is_terminal(self) -> bool:
        """Return whether nothing can follow."""
        return not MOVES[self]


MOVES: Final[dict[State, frozenset[State]]] = {
    State.RECEIVED: frozenset({State.DENIED, State.SUCCEEDED, State.FAILED, State.PREVIEWING, State.CANCELLED}),
    State.PREVIEWING: frozenset(
        {State.PREVIEW_FAILED, State.DENIED, State.APPROVED, State.AWAITING_APPROVAL, State.CANCELLED}
    ),
    # back to a preview with other arguments, which an approver has proposed; or over STALE, where another release has
    # taken the place of what is asked about: another revision
    State.AWAITING_APPROVAL: frozenset(
        {State.APPROVED, State.REJECTED, State.EXPIRED, State.CANCELLED, State.PREVIEWING, State.STALE}
    ),
    State.APPROVED: frozenset({State.COMMITTING, State.EXPIRED, State.CANCELLED, State.STALE}),
    # nothing has been sent: the way back is open
    State.COMMITTING: frozenset({State.APPROVED, State.STALE, State.SENT}),
    State.STALE: frozenset({State.PREVIEWING, State.EXPIRED, State.CANCELLED}),
    # something has been sent: there is no way back, only the truth to be found
    State.SENT: frozenset(
        {
            State.COMMITTED,
            State.FAILED,
            State.STALE,
            State.RESENDING,
            State.IN_DOUBT,
            # a plan whose steps were done in part; its doubts are those of its steps
            State.UNDONE,
            State.PARTIAL,
        }
    ),
    State.RESENDING: frozenset({State.SENT, State.IN_DOUBT}),
    State.IN_DOUBT: frozenset({State.COMMITTED, State.NOT_APPLIED, State.RESOLVED_BY_HUMAN}),
    State.COMMITTED: frozenset({State.VERIFIED, State.DIVERGED, State.UNVERIFIABLE}),
    **{
        terminal: frozenset[State]()
        for terminal in (
            State.DENIED,
            State.SUCCEEDED,
            State.PREVIEW_FAILED,
            State.REJECTED,
            State.EXPIRED,
            State.CANCELLED,
            State.NOT_APPLIED,
            State.FAILED,
            State.VERIFIED,
            State.DIVERGED,
            State.UNVERIFIABLE,
            State.RESOLVED_BY_HUMAN,
            State.UNDONE,
            State.PARTIAL,
        )
    },
}
"""From each state, the states that may follow. A move that is not here cannot be made by any code."""

MOST_REVISIONS: Final = 3
"""How often an invocation is previewed: anew because its record went stale, or with arguments an approver proposed."""

REJECTION_REMEMBERED: Final = timedelta(hours=24)
"""How long the same call is answered with an approver's rejection, unless its tool or the policy changes."""

CANCELLABLE: Final = frozenset(state for state, following in MOVES.items() if State.CANCELLED in following)
"""Where the requester may still call it off: nothing has been claimed yet."""

JOINABLE: Final = frozenset(State) - {
    State.DENIED,
    State.PREVIEW_FAILED,
    State.FAILED,
    State.REJECTED,
}
"""What a repeated call joins unless it was told that it may be tried again; else it is a new attempt on purpose."""

DONE: Final = frozenset({State.COMMITTED, State.VERIFIED, State.DIVERGED, State.UNVERIFIABLE})
"""The write has happened."""
