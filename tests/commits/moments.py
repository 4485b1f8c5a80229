"""The moments of a commit at which a process may die or stand still, and how it is brought to do so there."""

import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar
from unittest.mock import patch

from hub.invocations import commit, reconcile, resume, verify
from hub.invocations.conclude import conclude
from hub.invocations.permit import Permit
from hub.invocations.recheck import recheck
from sandbox.line import Progress

P = ParamSpec("P")
T = TypeVar("T")
Halt = Callable[[], None]


class Moment(StrEnum):
    """When it happens."""

    BEFORE_CLAIM = "before the claim"
    AFTER_CLAIM = "after the claim"
    AFTER_RECHECK = "after the re-check"
    AFTER_SENT = "after it was marked as sent"
    FIRST_BYTE = "before the first byte leaves"
    MID_REQUEST = "while the request is under way"
    AFTER_ANSWER = "after the answer"
    AFTER_RECORD = "after the record"


class Recovery(StrEnum):
    """When it happens to a process that goes on with what another has left behind."""

    BEFORE_TAKE_OVER = "before it is taken over"
    AFTER_TAKE_OVER = "after it was taken over"
    AFTER_LOST_LEASE = "after what becomes of the lost commit is on record"
    BEFORE_RESEND = "before it is marked as sent again"
    MID_LOOK = "while the look is under way"
    AFTER_LOOK = "after the look"
    MID_READ_BACK = "while it is read back"


class Ending(StrEnum):
    """What happens to the process then."""

    DIES = "dies"
    STOPS = "stops"
    """It stands still until it is continued, and finds then that hours have passed."""
    PAUSES = "pauses"
    """It is held up for a moment, as by the start of a slow host, and goes on."""


Arrangement = tuple[object, str, object]
"""What replaces a function, by its place and name."""


def moment_of(name: str) -> Moment | Recovery:
    """Return the moment of that name."""
    return Moment(name) if name in set(Moment) else Recovery(name)


def arm(moment: Moment | Recovery, ending: Ending) -> None:
    """Let this process come to its `ending` when its next commit has come to `moment`."""
    halt = {Ending.DIES: _die, Ending.STOPS: _stop, Ending.PAUSES: _pause}[ending]
    _put(*(_in_a_commit(moment, halt) if isinstance(moment, Moment) else _in_a_recovery(moment, halt)))


def _in_a_commit(moment: Moment, halt: Halt) -> Arrangement:
    ask = Permit.ask
    arrangements: Mapping[Moment, Arrangement] = {
        Moment.BEFORE_CLAIM: (commit, "claim", _before(commit.claim, halt)),
        Moment.AFTER_CLAIM: (commit, "claim", _after(commit.claim, halt)),
        Moment.AFTER_RECHECK: (commit, "recheck", _after(recheck, halt)),
        Moment.AFTER_SENT: (Permit, "ask", _after(ask, halt)),
        Moment.FIRST_BYTE: (Permit, "ask", _after(ask, lambda: _on_the_wire("send_request_headers.started", halt))),
        Moment.MID_REQUEST: (Permit, "ask", _after(ask, lambda: _on_the_wire("send_request_body.complete", halt))),
        Moment.AFTER_ANSWER: (commit, "conclude", _before(conclude, halt)),
        Moment.AFTER_RECORD: (commit, "conclude", _after(conclude, halt)),
    }
    return arrangements[moment]


def _in_a_recovery(moment: Recovery, halt: Halt) -> Arrangement:
    def under_way() -> None:
        _on_the_wire("send_request_body.complete", halt)

    arrangements: Mapping[Recovery, tuple[object, str, Callable[[Any, Halt], object], Halt]] = {
        Recovery.BEFORE_TAKE_OVER: (resume, "_take_over", _before, halt),
        Recovery.AFTER_TAKE_OVER: (resume, "_take_over", _after, halt),
        Recovery.AFTER_LOST_LEASE: (resume, "after_lost_lease", _after, halt),
        Recovery.BEFORE_RESEND: (resume, "send", _before, halt),
        Recovery.MID_LOOK: (reconcile, "_look", _before, under_way),
        Recovery.AFTER_LOOK: (reconcile, "_look", _after, halt),
        Recovery.MID_READ_BACK: (verify, "records_now", _before, under_way),
    }
    place, name, where, then = arrangements[moment]
    return place, name, where(getattr(place, name), then)


def _put(place: object, name: str, replacement: object) -> None:
    patch.object(place, name, replacement).start()


def _before(action: Callable[P, Awaitable[T]], halt: Halt) -> Callable[P, Awaitable[T]]:
    async def halted(*args: P.args, **kwargs: P.kwargs) -> T:
        halt()
        return await action(*args, **kwargs)

    return halted


def _after(action: Callable[P, Awaitable[T]], halt: Halt) -> Callable[P, Awaitable[T]]:
    async def halted(*args: P.args, **kwargs: P.kwargs) -> T:
        result = await action(*args, **kwargs)
        halt()
        return result

    return halted


def _on_the_wire(moment: str, halt: Halt) -> None:
    """Halt when the HTTP client comes to `moment`; of a request that starts, not a byte has left then."""
    follow = Progress.follow

    async def halted(progress: Progress, event: str, details: Mapping[str, Any]) -> None:
        if event.endswith(moment):
            halt()
        await follow(progress, event, details)

    _put(Progress, "follow", halted)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    """Stand still. Only one stop is wanted; and the deadlines on record were moved meanwhile, so the clock is, too."""
    patch.stopall()
    clock = time.monotonic
    os.kill(os.getpid(), signal.SIGSTOP)
    _put(time, "monotonic", lambda: clock() + 7200)


def _pause() -> None:
    patch.stopall()
    os.kill(os.getpid(), signal.SIGSTOP)
