"""Points in time as pages show them: the exact one for machines, a readable one, and how far away it is."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_UNITS: Final = ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"))


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A moment: `iso` for machines, `clock` and (finer) `second` in UTC, `relative` to when the page was made."""

    iso: str
    clock: str
    second: str
    relative: str
    is_past: bool


def at(moment: datetime, *, now: datetime) -> At:
    """Return `moment` as seen from `now`; both are aware and in UTC."""
    return At(
        iso=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        clock=f"{moment.day} {moment.strftime('%b %Y, %H:%M')} UTC",
        second=f"{moment.day} {moment.strftime('%b %Y, %H:%M:%S')} UTC",
        relative=relative(moment - now),
        is_past=moment <= now,
    )


def relative(distance: timedelta) -> str:
    """Return `distance` in words: "in 3 hours", "12 minutes ago", "just now"."""
    size = abs(distance)
    if size < timedelta(minutes=1):
        return "in less than a minute" if distance > timedelta(0) else "just now"
    words = span(size)
    return f"in {words}" if distance > timedelta(0) else f"{words} ago"


def span(size: timedelta) -> str:
    """Return a length of time in its largest unit, rounded down: "3 hours", "1 day", "40 seconds"."""
    for unit, name in _UNITS:
        if size >= unit:
            return _counted(size // unit, name)
    return _counted(int(size.total_seconds()), "second")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
