"""The approval page and the inbox that leads to it: who is asked what about a write, by whom, and until when."""

from dataclasses import dataclass

from hub.web.comparison import Field
from hub.web.inert import Inert
from hub.web.moments import At
from hub.web.views.grounds import Grounds, RuleLine
from hub.web.views.invocation_line import InvocationLine
from hub.web.wording import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefChange:
    """One field that would change, cut short for a line of a list."""

    title: Inert
    before: Inert
    after: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxCard:
    """One open question in the inbox."""

    url: str
    headline: Inert
    agent: Inert
    on_behalf_of: str
    tool: str
    tier: Word
    expires: At
    progress: str
    money: str = ""
    is_suspended: bool = False
    """Whether the agent is, so that nothing it proposed can be approved."""
    given: Inert | None = None
    """What it would be given, cut short, where no preview shows what it would change."""
    is_blind: bool = False
    """Whether it has no preview at all."""
    environment: str = ""
    changes: tuple[BriefChange, ...] = ()
    """The first fields that would change, and `more_changes` how many others would."""
    more_changes: int = 0
    records: frozenset[tuple[str, str]] = frozenset()
    """The records that are there and that it changes, each with its connection."""
    same_url: str = ""
    """Where the first question above it is that changes one of these records, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLine:
    """Questions of the same shape in the inbox; `card` is the most urgent of them."""

    url: str
    count: int
    card: InboxCard


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLine:
    """A release that waits to be put in use, and why somebody asked for that."""

    url: str
    connector: str
    version: str
    environment: str
    reason: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPage:
    """The questions and releases that wait for the viewer."""

    cards: tuple[InboxCard, ...]
    batches: tuple[BatchLine, ...] = ()
    releases: tuple[ReleaseLine, ...] = ()
    decided: tuple[InvocationLine, ...] = ()
    """What the viewer has voted on last, and how it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteLine:
    """One vote that was cast."""

    voter: str
    groups: tuple[str, ...]
    decision: Word
    reason: Inert | None
    at: At
    in_place_of: str = ""
    is_carried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """How many people must agree whom `group`, in words, stands for, and how many have."""

    group: str
    needed: int
    given: int
    fresh: str = ""
    """In words, how recent each one's login must be; empty when any login will do."""

    @property
    def is_met(self) -> bool:
        """Return whether enough people of the group have agreed."""
        return self.given >= self.needed


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """The people who are asked together, and whether that is over, now or later."""

    number: int
    word: Word
    quorums: tuple[Quorum, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing the agent says of itself or its reasons."""

    label: str
    text: Inert


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The form: what is decided about (`digest`), what was typed, and what stood against it."""

    action: str
    digest: str
    in_place_of: str = ""
    """For whom the viewer votes as a deputy; empty when it is their own vote."""
    reason: str = ""
    problem: str = ""
    why_not_approve: str = ""
    """Why an approval would be refused now, so that it can only be rejected; empty: it would not."""
    needs_fresh_login: str = ""
    """In words, when the decision will ask for the password; empty when it will not."""
    confirms: bool = False
    """Whether it is done for the viewer, who is asked before anybody else."""
    grant_url: str = ""
    """Where the viewer may allow calls like this in advance; empty where no standing grant can stand for the vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What is different about one record from what the voter saw: as it stands, or as it would become."""

    title: Inert
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterForm:
    """The form for proposing other arguments: where it goes, what stands in it, and what stood against it."""

    action: str
    digest: str
    arguments: str
    reason: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterLine:
    """Who proposed other arguments for one revision, and why."""

    revision: int
    author: str
    groups: tuple[str, ...]
    reason: Inert
    at: At


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """How the arguments differ from those that the agent sent, and who wanted them so."""

    fields: tuple[Field, ...]
    counters: tuple[CounterLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """Where one value of the arguments comes from."""

    argument: Inert
    word: Word
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPage:
    """Everything that is known about one write that waits for people."""

    invocation_id: str
    invocation_url: str
    headline: Inert
    state: Word
    is_open: bool
    agent: Inert
    agent_owner: str
    on_behalf_of: str
    asked: At
    revision: int
    tool: str
    tool_title: Inert
    tool_url: str
    tier: Word
    effect: Word
    system: Inert
    environment: str
    grounds: Grounds
    rules: tuple[RuleLine, ...]
    stages: tuple[StageLine, ...]
    votes: tuple[VoteLine, ...]
    expires: At
    claims: tuple[Claim, ...]
    arguments: Inert
    digests: tuple[tuple[str, str], ...]
    decision: Decision | None
    traces: tuple[TraceLine, ...] = ()
    is_moving: bool = False
    """Whether it is decided and under way, so that the page keeps looking how it stands."""
    is_overtaken: bool = False
    """Whether what the viewer may have agreed to counts no more, and it is previewed or asked anew."""
    is_over: bool = False
    """Whether it has ended, so that no time runs any more."""
    claimed_by: str = ""
    """The person whose words the claims are; empty: the agent's."""
    lacking: tuple[str, ...] = ()
    """Why nobody can decide it as the groups are now."""
    why_no_decision: str = ""
    glass_url: str = ""
    """Where the viewer, an operator, may let it go without its approval; empty for everybody else."""
    reminded: At | None = None
    escalated: At | None = None
    revised: Revised | None = None
    drifted: tuple[Difference, ...] | None = None
    """What is different from the preview before, which went stale; None if this is the first."""
    counter: CounterForm | None = None
    changed: tuple[Difference, ...] = ()
    has_changed: bool = False
    """Whether the viewer just voted on something older than this."""
