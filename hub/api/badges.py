"""Badges as JSON: what the contract kit found, line by line, and who says so.

A badge comes from where the kit has run: the hub's own console (`toolhub connector check --keep`), or a runner that an
administrator has registered and that has signed it (`runners`). Whoever else could send one in could also make one up.
"""

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, Field

from hub.registry import PROMISES, Badge, BadgeLine, BadgeVerdict, Grade, Promise, Source


class BadgeLineView(BaseModel):
    """One line of a badge."""

    operation: str
    promise: Promise
    title: str = Field(description="The line's text for people.")
    verdict: BadgeVerdict
    grade: Grade = Field(description="Whether it was tried on the system itself or on what was recorded of it.")
    reason: str


class BadgeView(BaseModel):
    """What the contract kit found of exactly this code and this declaration."""

    system: str = Field(examples=["Tryton 8.0 on SQLite"])
    checked_at: datetime
    is_clean: bool = Field(description="Whether no line failed.")
    lines: list[BadgeLineView]
    source: Source = Field(description="Run here, at a registered runner, or only reported by the owner: no proof.")
    by: str = Field(description="The runner's name, or who reported it; empty if the kit ran here.")
    place: str = Field(description="Where the kit ran, in the words of who ran it.")
    kit: str = Field(description="The release that the kit came with.")


def badge_view(badge: Badge, lines: Sequence[BadgeLine] | None = None) -> BadgeView:
    """Return `badge` as JSON, or only those `lines` of it."""
    shown = badge.lines if lines is None else lines
    return BadgeView(
        system=badge.system,
        checked_at=badge.checked_at,
        is_clean=not any(line.verdict is BadgeVerdict.FAILED for line in shown),
        lines=[_line(line) for line in shown],
        source=badge.origin.source,
        by=badge.origin.by,
        place=badge.origin.place,
        kit=badge.origin.kit,
    )


def _line(line: BadgeLine) -> BadgeLineView:
    return BadgeLineView(
        operation=line.operation,
        promise=line.promise,
        title=PROMISES[line.promise],
        verdict=line.verdict,
        grade=line.grade,
        reason=line.reason,
    )
