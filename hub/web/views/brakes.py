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
class StopForm:
    """The form that turns a switch on: nothing is chosen beforehand, and what was typed stays beside a problem."""

    kinds: tuple[Choice, ...]
    subject: str = ""
    reason: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitForm:
    """The form that sets a limit; what was typed stays beside a problem."""

    measures: tuple[Choice, ...]
    pers: tuple[Choice, ...]
    amount: str = ""
    unit: str = ""
    window: str = ""
    of: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakesPage:
    """The switches that are on, the limits that count, and the forms that set more."""

    stops: tuple[StopLine, ...]
    limits: tuple[LimitLine, ...]
    stop_form: StopForm
    known: tuple[Choice, ...]
    """Agents and tools by name, to choose from."""
    limit_form: LimitForm | None = None
    """For those who may limit everything; owners may limit what is theirs, in any case."""
    problem: str = ""
    """What stood against turning a switch off, or lifting a limit."""
