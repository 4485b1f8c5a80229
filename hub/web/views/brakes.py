"""Limits and kill switches as their page shows them."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.catalog import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class StopLine:
    """A switch that is on."""

    kind: str
    subject: str
    name: str
    """What it is called; its id, where there is nothing of that id any more."""
    reason: Inert
    by: str
    since: At


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLine:
    """A limit that counts now."""

    id: str
    words: str
    subject: str
    used: str
    """How much of it, in words; empty of what is not counted."""
    share: int
    """How much of it is used, in hundredths, at most 100."""
    frees: At | None
    may_lift: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakesPage:
    """The switches that are on, the limits that count, and the forms that set more."""

    stops: tuple[StopLine, ...]
    limits: tuple[LimitLine, ...]
    kinds: tuple[Choice, ...]
    pers: tuple[Choice, ...]
    measures: tuple[Choice, ...]
    known: tuple[Choice, ...]
    """Agents and tools by name, to choose from."""
    may_limit: bool
    """Whether whoever looks may limit everything; owners may limit what is theirs, in any case."""
    problem: str = ""
