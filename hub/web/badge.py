"""A connector's badge as people read it: what the contract kit found of one tool, line by line."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hub.registry import GRADES, PROMISES, Badge, BadgeLine, BadgeVerdict, PublishedTool, Source
from hub.web.inert import Inert, inert_name, inert_prose
from hub.web.moments import At, at
from hub.web.wording import Word

VERDICTS: Final = {
    BadgeVerdict.PASSED: Word(label="held", meaning="It was tried, and it held.", tone="good"),
    BadgeVerdict.FAILED: Word(label="failed", meaning="It was tried, and it did not hold.", tone="bad"),
    BadgeVerdict.NOT_TRIED: Word(label="not tried", meaning="Another line failed before it could be.", tone="warn"),
    BadgeVerdict.NOT_APPLICABLE: Word(label="does not apply", meaning="It says nothing about this tool."),
    BadgeVerdict.NOT_PROVABLE: Word(
        label="not provable from a recording", meaning="Only the system itself could show whether it holds."
    ),
}
SOURCES: Final = {
    Source.HERE: "run here",
    Source.RUNNER: "run and signed by the runner",
    Source.OWNER: "reported by",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeLineShown:
    """One line."""

    title: str
    verdict: Word
    grade: str
    reason: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class BadgeShown:
    """The lines about one tool, on which system, when, and where the kit ran, in the words of who ran it."""

    system: Inert
    checked_at: At
    lines: tuple[BadgeLineShown, ...]
    source: str = SOURCES[Source.HERE]
    by: Inert | None = None
    place: Inert | None = None
    kit: Inert | None = None


def badge_of(tool: PublishedTool, *, now: datetime) -> BadgeShown | None:
    """Return what was found of this tool; None if exactly this one was not checked."""
    return None if tool.badge is None or not tool.is_checked else _shown(tool.badge, tool.operation.name, now)


def claim_of(claim: Badge | None, operation: str, *, now: datetime) -> BadgeShown | None:
    """Return what its owner reports of this tool; None if nothing."""
    return None if claim is None or not claim.of(operation) else _shown(claim, operation, now)


def _shown(badge: Badge, operation: str, now: datetime) -> BadgeShown:
    return BadgeShown(
        system=inert_name(badge.system),
        checked_at=at(badge.checked_at, now=now),
        lines=tuple(_line(line) for line in badge.of(operation)),
        source=SOURCES[badge.origin.source],
        by=_said(badge.origin.by),
        place=_said(badge.origin.place),
        kit=_said(badge.origin.kit),
    )


def _said(text: str) -> Inert | None:
    return inert_name(text) if text else None


def _line(line: BadgeLine) -> BadgeLineShown:
    return BadgeLineShown(
        title=PROMISES[line.promise],
        verdict=VERDICTS[line.verdict],
        grade=GRADES[line.grade],
        reason=inert_prose(line.reason),
    )
