"""What federated servers say otherwise, as the pages show it: the list, and one change with what to decide on."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.promotions import ChangedPart
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class PinLine:
    """One change in the list."""

    url: str
    connector: str
    state: Word
    signs: int
    found: At


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLine:
    """One federated server: when it was looked at, and what kept the hub from seeing it."""

    connection: str
    url: str
    looked: At | None
    problem: Inert | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PinsPage:
    """The changes, and the servers that are looked at."""

    lines: tuple[PinLine, ...]
    servers: tuple[ServerLine, ...]
    more_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceLine:
    """One thing to look at twice."""

    operation: Inert
    sign: Word
    says: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class PinPage:
    """One change, and what its viewer may do with it."""

    address: str
    connector: str
    connection: str
    state: Word
    digest: str
    found: At
    advice: tuple[AdviceLine, ...]
    changed: ChangedPart
    decided_by: Inert | None
    ended: At | None
    reason: Inert | None
    waits: bool
    may_decide: bool
    problem: str = ""
