"""The decisions of the commit protocol, without I/O: which state an answer, a lost lease or a look at a system allows.

Everything else of a commit carries these out. `tests/commits/test_model.py` explores every order of events
around them, so that a change here is checked before it is built (governance, sections 5 and 6).
"""

from datetime import timedelta
from enum import StrEnum
from typing import Final

from connectors.sdk.vocabulary import UpstreamClass
from hub.invocations.states import State

MOST_SENDS: Final = 5
"""How often a write of class A or B is sent before people have to look."""
KEY_IS_KNOWN_FOR: Final = timedelta(hours=20)
"""How long after the first request its key is used again. Systems forget keys, commonly after 24 hours; then the same
request would be another write."""
_SENT_AGAIN: Final = frozenset({UpstreamClass.A, UpstreamClass.B})


class Answer(StrEnum):
    """What one attempt to commit came to."""

    DONE = "done"
    REFUSED = "refused"
    """The system said no, definitely."""
    CONFLICTED = "conflicted"
    """The system refused the guard, definitely."""
    NOT_SENT = "not sent"
    """The system could not be reached, and no byte left."""
    UNKNOWN = "unknown"
    """Something left, and nobody knows what became of it."""


class Sight(StrEnum):
    """What a look at the system showed of a write whose answer was lost."""

    DONE = "done"
    """Our reference is there, or the record is as predicted."""
    ABSENT = "absent"
    """Our reference is not there, or the record has the version it had before."""
    UNCLEAR = "unclear"
    """The system cannot be asked, offers nothing to look for, or somebody else has changed the record."""


def may_send_again(upstream_class: UpstreamClass, sends: int) -> bool:
    """Return whether a request whose fate is unknown may leave once more, under the same key or condition."""
    return upstream_class in _SENT_AGAIN and sends < MOST_SENDS


def resent_within(upstream_class: UpstreamClass, *, is_natural: bool) -> timedelta | None:
    """Return for how long after the first request the next may leave; None: a resend is as good however late it is.

    A condition does not wear off, and neither does a number that the system keeps unique (`is_natural`).
    """
    return KEY_IS_KNOWN_FOR if upstream_class is UpstreamClass.A and not is_natural else None


def before_sending(answer: Answer) -> State:
    """Return the state after an attempt that ended before it was marked as sent: nothing has left."""
    return State.APPROVED if answer is Answer.NOT_SENT else State.STALE


def after_sending(answer: Answer, upstream_class: UpstreamClass, sends: int) -> State:
    """Return the state after the answer to the `sends`-th attempt, which was marked as sent.

    Only the first attempt can be said to have failed: what a later one is told proves nothing about those before it.
    """
    if answer is Answer.DONE:
        return State.COMMITTED
    if sends == 1 and answer in _SAYS_NO:
        return _SAYS_NO[answer]
    if answer in {Answer.UNKNOWN, Answer.NOT_SENT} and may_send_again(upstream_class, sends):
        return State.RESENDING
    return State.IN_DOUBT


def before_sending_again(answer: Answer) -> State:
    """Return the state after an attempt to send again that ended before it was marked: only the earlier ones left."""
    return State.RESENDING if answer is Answer.NOT_SENT else State.IN_DOUBT


def after_lost_lease(upstream_class: UpstreamClass, sends: int) -> State:
    """Return the state of a write marked as sent whose process is gone: never back to where it could be sent afresh."""
    return State.RESENDING if may_send_again(upstream_class, sends) else State.IN_DOUBT


def after_sight(sight: Sight, *, quarantine_is_over: bool) -> State:
    """Return the state after a look; `quarantine_is_over` must have been asked before the look, not after it."""
    if sight is Sight.DONE:
        return State.COMMITTED
    if sight is Sight.ABSENT and quarantine_is_over:
        return State.NOT_APPLIED
    return State.IN_DOUBT


_SAYS_NO: Final = {
    Answer.REFUSED: State.FAILED,
    Answer.NOT_SENT: State.FAILED,
    Answer.CONFLICTED: State.STALE,
}
