"""Badges as values: what the contract kit found of one connector's very code, line by line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Promise(StrEnum):
    """What a line says, in the order in which the kit tries it."""

    FENCE = "fence"
    UNTOUCHED = "untouched"
    DIGEST = "digest"
    PERMIT = "permit"
    GUARD = "guard"
    PREDICTION = "prediction"
    ONCE = "once"
    UNDO = "undo"
    SECRETS = "secrets"
    THROTTLING = "throttling"
    UNKNOWN_FIELDS = "unknown_fields"
    ERRORS = "errors"


PROMISES: Final = {
    Promise.FENCE: "a write inside a preview is refused by the transport",
    Promise.UNTOUCHED: "a preview leaves the system unchanged",
    Promise.DIGEST: "the same input has the same digest",
    Promise.PERMIT: "what is not approved is refused, and nothing is written",
    Promise.GUARD: "a stale guard is refused after somebody else's edit",
    Promise.PREDICTION: "what was predicted is what came",
    Promise.ONCE: "the same key applies once, also after a lost answer",
    Promise.UNDO: "undo restores, and leaves exactly what was declared",
    Promise.SECRETS: "secrets appear nowhere",
    Promise.THROTTLING: "throttling is honoured",
    Promise.UNKNOWN_FIELDS: "unknown answer fields are tolerated",
    Promise.ERRORS: "every documented error is mapped",
}
"""Each line's text for people."""


class BadgeVerdict(StrEnum):
    """What became of a line."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"
    """Another line failed before it could be."""
    NOT_APPLICABLE = "not applicable"
    NOT_PROVABLE = "not provable from a recording"


class Grade(StrEnum):
    """What a line was tried on: the system itself, what was recorded of it, or through code that is elsewhere.

    Only what is live proves anything from here on. A recording shows what was once so; and behind another MCP server
    the code may change while its list of tools, which is all that can be pinned, stays the same.
    """

    LIVE = "live"
    RECORDED = "recorded"
    ELSEWHERE = "elsewhere"


GRADES: Final = {
    Grade.LIVE: "on the system itself",
    Grade.RECORDED: "on a recording",
    Grade.ELSEWHERE: "through a server whose code may change unseen",
}
"""The grades in words, as people read them wherever a badge is shown."""


class Source(StrEnum):
    """Who ran the kit. What an owner only reports is shown, apart, and proves nothing: nobody here saw it run."""

    HERE = "here"
    RUNNER = "runner"
    OWNER = "owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a badge comes from: `by` names the runner or the reporter, `place` and `kit` are what they say of it."""

    source: Source = Source.HERE
    by: str = ""
    place: str = ""
    kit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeLine:
    """One line: `reason` says how it was judged, or what to do."""

    operation: str
    promise: Promise
    verdict: BadgeVerdict
    grade: Grade
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """What was found of the connector whose code has `artefact_digest`, on `system`; it speaks of no other code.

    `covers` is the digest of each operation that it speaks of (`proof_digest`); it says nothing of another one.
    """

    connector: str
    version: str
    artefact_digest: str
    system: str
    checked_at: datetime
    covers: Mapping[str, str]
    lines: Sequence[BadgeLine]
    origin: Origin = Origin()

    @property
    def is_clean(self) -> bool:
        """Return whether no line failed."""
        return not any(line.verdict is BadgeVerdict.FAILED for line in self.lines)

    def of(self, operation: str) -> list[BadgeLine]:
        """Return the lines about one operation."""
        return [line for line in self.lines if line.operation == operation]

    def proves(self, operation: str, promise: Promise) -> bool:
        """Return whether the line was tried on the system itself, and held."""
        held = (BadgeVerdict.PASSED, Grade.LIVE)
        return any(line.promise is promise and (line.verdict, line.grade) == held for line in self.of(operation))
