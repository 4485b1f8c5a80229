"""Erasures and legal holds as their page shows them."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.catalog import Choice
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """How much an erasure would delete now, in words, and what it is about, to be asked for."""

    words: str
    kind: str
    subject: str
    connection_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureLine:
    """An erasure as it stands; `why_not` says why whoever looks cannot grant it."""

    id: str
    what: Inert
    reason: Inert
    asked_by: str
    asked: At
    stage: Word
    decided: str
    answer: Inert | None
    is_open: bool
    why_not: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLine:
    """A legal hold that stands."""

    id: str
    what: Inert
    reason: Inert
    set_by: str
    since: At


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasuresPage:
    """What was asked for, what must be kept, and the forms for more."""

    erasures: tuple[ErasureLine, ...]
    holds: tuple[HoldLine, ...]
    kinds: tuple[Choice, ...]
    hold_kinds: tuple[Choice, ...]
    may_grant: bool
    foreseen: Foreseen | None = None
    problem: str = ""
