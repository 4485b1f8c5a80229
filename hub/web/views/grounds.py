"""What a decision about a write rests on: the same wherever people approve it, let it go, or judge it afterwards."""

from dataclasses import dataclass

from hub.web.comparison import Comparison, Field
from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.plan import PlanBox
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """A rule that asks, in its own words."""

    why: Inert
    rule_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Something that must still be as it was when the preview was made."""

    target: Inert
    is_strong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLine:
    """Something that happens beside the changes."""

    kind: Inert
    recipient: Inert
    reversal: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far the write reaches, in figures people read."""

    rows: int
    money: str
    parties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sureness:
    """How sure the preview is: its fidelity, when it was made, its track record, and what it cannot see."""

    fidelity: Word
    rank: int
    observed: At
    copied: At | None
    """When the copy was made in which it was tried."""
    track: str
    track_word: Word
    not_covered: tuple[Inert, ...]
    guards: tuple[Guard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """Whether and how the write can be taken back."""

    reversal: Word
    tool: str = ""
    window: str = ""
    residue: tuple[Inert, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The same call as it was made before: when, and what has come of it; `url` is empty for who may not look at it."""

    asked: At
    state: Word
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """The call that an undo takes back, as the hub has made it; `url` is empty for who may not look at that call."""

    id: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Everything that is known of what a write does, how sure that is, and what speaks against it."""

    changes: tuple[Comparison, ...]
    argument_fields: tuple[Field, ...]
    side_effects: tuple[SideLine, ...]
    reach: Reach
    sureness: Sureness
    undo: Undo
    alarms: tuple[RuleLine, ...] = ()
    masked: str = ""
    """The data classes that are masked for whoever looks; empty: none is."""
    is_suspended: bool = False
    """Whether it waits and its agent is, so that it cannot be approved."""
    stops: tuple[str, ...] = ()
    """What is stopped while it waits, and why, in the words of whoever stopped it."""
    earlier: Earlier | None = None
    takes_back: TakenBack | None = None
    """What it takes back, where it is an undo."""
    plan: PlanBox | None = None
    """The steps, where it is about several in one."""

    @property
    def is_blind(self) -> bool:
        """Return whether nobody knows what it would change; of a plan, its steps say so."""
        return self.plan is None and not self.sureness.rank
