"""One invocation with its timeline, and the list of one's own."""

from dataclasses import dataclass

from hub.web.comparison import Comparison, Field
from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.approval import Claim
from hub.web.views.catalog import Choice
from hub.web.views.grounds import RuleLine, TakenBack, Undo
from hub.web.views.invocation_line import InvocationLine
from hub.web.views.plan import ProgressLine
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One event of the audit log about this invocation."""

    at: At
    what: Word
    who: Inert
    note: Inert | None = None
    """What of it a reader wants at once: a choice, a reason."""
    facts: tuple[tuple[str, Inert], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationsPage:
    """The viewer's own invocations, or everybody's, newest first."""

    lines: tuple[InvocationLine, ...]
    more_url: str = ""
    of_everybody: bool = False
    agent: str = ""
    """What was asked for: an account name or an id."""
    tool: str = ""
    states: tuple[Choice, ...] = ()
    since: str = ""
    """The day from which on, as a browser writes it."""
    may_see_all: bool = False
    """Whether the viewer is an auditor, who may look at everybody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictLine:
    """One field that somebody has changed since the commit that was to be undone."""

    target: Inert
    title: Inert
    name: Inert
    before: Inert
    committed: Inert
    now: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationPage:
    """One call from request to outcome."""

    id: str
    headline: Inert
    state: Word
    tool: str
    tool_url: str
    server: str
    environment: str
    tier: Word
    effect: Word
    agent: Inert
    on_behalf_of: str
    asked: At
    changed_at: At
    expires: At | None
    revision: int
    error: Inert | None
    outcome: Inert | None
    findings: tuple[Inert, ...]
    alarms: tuple[RuleLine, ...]
    masked: str
    """The data classes that are masked for whoever looks; empty: none is."""
    verification: Word | None
    undo: Undo | None
    arguments: Inert
    argument_fields: tuple[Field, ...]
    outcome_fields: tuple[Field, ...]
    changes: tuple[Comparison, ...]
    previewed: str
    """Whether what was previewed is what was done, as far as that is known."""
    claims: tuple[Claim, ...]
    digests: tuple[tuple[str, str], ...]
    events: tuple[EventLine, ...]
    claimed_by: str = ""
    """The person whose words the claims are; empty: the agent's."""
    approval_url: str = ""
    cancel_url: str = ""
    doubt_url: str = ""
    """Where an operator says what became of it; empty for everybody else, and once it is known."""
    undo_url: str = ""
    undo_until: At | None = None
    undo_word: Word | None = None
    undone_by: str = ""
    undoing: Word | None = None
    """Where the call stands that takes this one back."""
    lacking: tuple[str, ...] = ()
    """Why nobody can decide it as the groups are now."""
    takes_back: TakenBack | None = None
    conflict: tuple[ConflictLine, ...] = ()
    steps: tuple[ProgressLine, ...] = ()
    """Of a plan that has begun."""
    plan_url: str = ""
    """Of a step, or of its undo."""
    erased: At | None = None
    """When its values were erased."""
    keeps_outcome: bool = False
    """Whether there is an answer that is not shown to whoever looks."""
    is_mine: bool = True
