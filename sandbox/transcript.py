"""The transcript of one run: what connector code asked for and what became of it; never a body, header or secret."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from connectors.sdk.wire import WireRequest

SIGN_IN: Final = "sign in"
"""The operation of a request that a way sends by itself, to prove who the hub is."""
IS_IT_THERE: Final = "ping"
"""The operation of one that asks whether a session is there yet, after a request in it was refused."""
_LONGEST_PATH: Final = 300
_LONGEST_OPERATION: Final = 120


class Fate(StrEnum):
    """What became of one request."""

    FENCED = "fenced"
    NOT_SENT = "not sent"
    NO_ANSWER = "no answer"
    ANSWERED = "answered"
    TURNED_AWAY = "turned away"
    """By a server that did not know its session and looked at nothing in it; it was sent again in another, if it could
    be.
    """
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a transcript says of an answer. `says_no` means that it refuses in so many words, by status or as RPC.

    Answers of databases have no status.
    """

    status: int | None
    size: int
    says_no: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request: `operation` is what its body asks for, whatever it claims; `is_safe` that it can change nothing."""

    method: str
    path: str
    operation: str | None
    is_safe: bool
    fate: Fate
    answer: Answer | None
    milliseconds: int
    on_twin: bool = False

    @property
    def name(self) -> str:
        """Return what people call it."""
        return self.operation or f"{self.method} {self.path or '/'}"


@dataclass(slots=True)
class Transcript:
    """The requests of one run, in the order in which they ended."""

    entries: list[Entry] = field(default_factory=list[Entry])

    @property
    def violations(self) -> list[Entry]:
        """Return the requests that would have changed something where nothing may."""
        return [entry for entry in self.entries if entry.fate is Fate.FENCED and not entry.is_safe]

    @property
    def left(self) -> list[Entry]:
        """Return the requests that may have changed something: unsafe, and at least one byte of them has left."""
        return [entry for entry in self.entries if not entry.is_safe and entry.fate in {Fate.ANSWERED, Fate.UNKNOWN}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A request under way; ending it writes its line."""

    transcript: Transcript
    request: WireRequest
    operation: str | None
    is_safe: bool
    started: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """Return what people call it."""
        name = self.operation or f"{self.request.method} {self.request.path or '/'}"
        return name[:_LONGEST_PATH]

    def again(self) -> "Attempt":
        """Return another attempt at the same, which begins now and gets a line of its own."""
        return replace(self, started=time.monotonic())

    def end(self, fate: Fate, answer: Answer | None = None) -> None:
        """Write what became of it."""
        self.transcript.entries.append(
            Entry(
                method=self.request.method,
                path=self.request.path[:_LONGEST_PATH],
                operation=None if self.operation is None else self.operation[:_LONGEST_OPERATION],
                is_safe=self.is_safe,
                fate=fate,
                answer=answer,
                milliseconds=round((time.monotonic() - self.started) * 1000),
                on_twin=self.request.on_twin,
            )
        )


_asking: ContextVar[Transcript | None] = ContextVar("_asking", default=None)


@dataclass(slots=True)
class Line:
    """The line of a request that may have to be sent again: each time that it leaves has a line of its own."""

    attempt: Attempt
    is_over: bool = False

    def turned_away(self, answer: Answer, *, is_last: bool) -> None:
        """Write that nobody looked at it; if that was not the last time, it leaves again now."""
        self.attempt.end(Fate.TURNED_AWAY, answer)
        self.is_over = is_last
        self.attempt = self.attempt.again()

    def end(self, fate: Fate, answer: Answer | None = None) -> None:
        """Write what became of it, if it was not turned away for good."""
        if not self.is_over:
            self.attempt.end(fate, answer)


@contextmanager
def noting(transcript: Transcript) -> Generator[None]:
    """Note on `transcript` what the way sends by itself within the block, because a request on it needed that."""
    before = _asking.set(transcript)
    try:
        yield
    finally:
        _asking.reset(before)


@contextmanager
def by_itself(path: str, operation: str) -> Generator[Attempt]:
    """Yield the attempt of a way to ask at `path` for `operation`; if nobody ends it, it was not answered."""
    request = WireRequest.model_construct(method="POST", path=path)
    attempt = Attempt(transcript=Transcript(), request=request, operation=operation, is_safe=True)
    try:
        yield attempt
    finally:
        if not attempt.transcript.entries:
            attempt.end(Fate.NO_ANSWER)
        asking = _asking.get()
        if asking is not None:
            asking.entries += attempt.transcript.entries
