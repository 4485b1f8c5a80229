"""Reviews as the page shows them: writes that nobody approved, and the form for what a reviewer says."""

from dataclasses import dataclass

from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.grounds import Grounds
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewCard:
    """One write that waits to be looked at."""

    action: str
    kind: Word
    headline: Inert
    agent: Inert
    tool: str
    state: Word
    environment: str
    grounds: Grounds | None
    """What it rested on; None once its preview is erased."""
    url: str
    """The page of the call, with what came of it."""
    broken_by: Inert | None
    why: Inert | None
    opened: At


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewsPage:
    """What waits for the viewer."""

    cards: tuple[ReviewCard, ...]
    problem: str = ""
