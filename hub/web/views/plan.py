"""A plan on pages: its steps as they would be carried out, and how they stand once it has begun."""

from dataclasses import dataclass

from hub.web.comparison import Comparison
from hub.web.inert import Inert
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentLine:
    """One argument of a step: its value, or after which step it is known."""

    name: Inert
    value: Inert | None
    known_after: str = ""
    read_by: str = ""
    """Which step of the plan has read it, or a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLine:
    """One step of a plan that people are asked about."""

    number: int
    name: str
    tool: str
    title: Inert
    system: Inert
    tier: Word
    effect: Word
    fidelity: Word
    undo: Word
    arguments: tuple[ArgumentLine, ...]
    changes: tuple[Comparison, ...]
    is_blind: bool = False
    """Whether its tool offers no preview, so that nobody knows what it would change."""
    is_in_turn: bool = False
    """Whether it is previewed only once the steps before it are done."""
    why_no_preview: Inert | None = None
    answer: tuple[ArgumentLine, ...] = ()
    """Of a read: what later steps use of what it has answered."""
    read_url: str = ""
    """Of a read: the page of the call that was made for this preview."""
    is_final: bool = False
    """Whether it cannot be taken back, so that it and all before it stay if a later step fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBox:
    """The steps of a plan in their order, and what happens if one of them fails."""

    steps: tuple[PlannedLine, ...]
    if_it_fails: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """How one step of a plan stands, with the pages of the calls that carried it out and took it back."""

    number: int
    name: str
    tool: str
    status: Word
    url: str = ""
    undo_url: str = ""
    message: Inert | None = None
