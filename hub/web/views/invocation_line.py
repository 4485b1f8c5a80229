"""One invocation as a line of a list, wherever there is one."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationLine:
    """One invocation in a list."""

    url: str
    id: str
    tool: str
    tier: Word
    state: Word
    agent: Inert
    asked: At
