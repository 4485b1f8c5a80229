"""Limits of what somebody owns, as their page shows them."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.catalog import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLimitLine:
    """One limit that counts for something of the viewer's, and how much of it is used."""

    id: str
    words: str
    of: Inert
    used: str
    """How much, in words; of a limit of each, by what has used most."""
    amount: str
    """As it would be typed."""
    share: int
    """How much of it is used, in hundredths, at most 100."""
    frees: At | None
    may_change: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLimitsPage:
    """What counts for the viewer's agents and tools, and the form that sets one more limit on one of them."""

    lines: tuple[OwnLimitLine, ...]
    mine: tuple[Choice, ...]
    """What the viewer owns; empty: nothing."""
    measures: tuple[Choice, ...]
    amount: str = ""
    unit: str = ""
    window: str = ""
    problem: str = ""
    """What stood against changing or lifting a limit."""
    problem_of_new: str = ""
