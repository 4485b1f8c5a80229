"""What the page of runners shows."""

from dataclasses import dataclass

from hub.web.moments import At
from hub.web.views.catalog import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerLine:
    """One runner, and where to revoke it if the viewer may; `agent` may send its reports beside the owner."""

    connector: str
    name: str
    public_key: str
    agent: str
    registered: At
    revoked: At | None = None
    revoke_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnersPage:
    """Every runner, and what was typed of a new one if it would not do."""

    lines: tuple[RunnerLine, ...]
    may_register: bool = False
    connectors: tuple[Choice, ...] = ()
    name: str = ""
    public_key: str = ""
    agent: str = ""
    problem: str = ""
