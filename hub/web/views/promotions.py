"""Promotions as the pages show them: the list, and one with its gates, their evidence and the forms."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.text_difference import TextLine
from hub.web.views.catalog import Choice
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionLine:
    """One promotion in the list."""

    url: str
    connector: str
    environment: str
    version: str
    former: str
    state: Word
    asked: At


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeForm:
    """The form by which a composite tool is asked for, as it was filled in."""

    tools: tuple[Choice, ...]
    environments: tuple[Choice, ...]
    connections: str = ""
    reason: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionsPage:
    """The promotions of one connector or of all; who may ask for one sees the form."""

    lines: tuple[PromotionLine, ...]
    connectors: tuple[Choice, ...]
    environments: tuple[Choice, ...]
    composites: CompositeForm | None = None
    more_url: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLine:
    """One gate, how it stood when it was looked at last, and why."""

    name: str
    meaning: str
    stand: Word
    reason: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedLine:
    """One recorded write, played with the release."""

    invocation_id: str
    tool: str
    likeness: Word
    reasons: tuple[Inert, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedLine:
    """One field, or one tool, that the release changes; of a long text also line by line."""

    what: Inert
    before: Inert
    after: Inert
    lines: tuple[TextLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPart:
    """Lines of what the release changes, `first` to `last` of `total`, and where the others are."""

    lines: tuple[ChangedLine, ...]
    first: int
    last: int
    total: int
    start_url: str
    next_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPage:
    """One promotion, and what its viewer may do with it."""

    address: str
    connector: str
    environment: str
    version: str
    former: str
    is_first: bool
    """Whether no release was in use there when it was asked for."""
    state: Word
    digest: str
    asked_by: Inert
    asked: At
    reason: Inert
    gates: tuple[GateLine, ...]
    changed: ChangedPart
    played: tuple[PlayedLine, ...]
    shows_calls: bool
    explanation: Inert | None
    explained_by: Inert
    decided_by: Inert | None
    decided: At | None
    ended: At | None
    ended_why: Inert | None
    waits: bool
    may_ask: bool
    may_explain: bool
    """Whether the viewer's word can open the gate that compares calls."""
    may_decide: bool
    may_revert: bool
    why_not: str = ""
    problem: str = ""
