"""The audit log as its page shows it."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.catalog import Choice
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One event: who did what to what, and what is on record of it beside values that are kept private."""

    number: str
    """Its place in the tree, from 0; empty until it has one."""
    at: At
    what: Word
    kind: str
    who: Inert
    about: Inert
    url: str
    """Where what it is about is shown, if there is a page."""
    facts: tuple[tuple[str, Inert], ...]
    private: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check of the newest events found."""

    words: str
    tone: str
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """The newest checkpoint, and events, the newest first."""

    size: int
    note: str
    keys: tuple[str, ...]
    at_once: int
    """About how many events a check takes."""
    lines: tuple[LogLine, ...]
    kinds: tuple[Choice, ...]
    of: str = ""
    """What was asked for: a name or an id."""
    who: str = ""
    """Whose events were asked for: a name or an id."""
    checked: Checked | None = None
    more_url: str = ""
    problem: str = ""
