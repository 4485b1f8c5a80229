"""Standing grants as pages show them: those one may see, and the form that gives one."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCard:
    """One standing grant; without `revoke_url` nothing is left to revoke."""

    agent: Inert
    tool: str
    giver: Inert
    group: str
    environment: str
    tier: Word
    state: Word
    left: str
    money: str
    limits: tuple[tuple[str, Inert], ...]
    beside: tuple[Inert, ...]
    """What such calls may do beside their changes."""
    to_anybody: bool
    reason: Inert
    expires: At
    like_url: str
    revoke_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsPage:
    """The standing grants of the viewer and its groups."""

    cards: tuple[GrantCard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitField:
    """One fact of the example that can be limited: a number by its largest value, anything else to this very value."""

    name: str
    value: Inert
    is_number: bool
    typed: str
    fact: int | str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGrantPage:
    """The form that allows calls like one, and what stood against it."""

    action: str
    back_url: str
    headline: Inert
    agent: Inert
    tool: str
    group: str
    environment: str
    reach: str
    side_effects: tuple[tuple[Inert, Inert], ...]
    """What happens beside the changes of the example, and whom it reaches."""
    fields: tuple[LimitField, ...]
    free: tuple[str, ...]
    """The arguments that no limit can hold, so that each call may have anything there."""
    currency: str
    uses: str = "10"
    days: str = "7"
    money: str = ""
    money_per_call: str = ""
    to_anybody: bool = False
    reason: str = ""
    problem: str = ""
