"""Values of policy: what may be asked, the facts a decision is made on, and the three decisions."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, Final

from pydantic import TypeAdapter

from connectors.sdk.vocabulary import Effect, Fidelity, Reversal, Tier, UpstreamClass
from hub.policy.obligations import Obligation, Sample

Json = Any
"""Any JSON value."""


class Action(StrEnum):
    """What policy is asked about."""

    PROPOSE = "propose"
    AUTOCOMMIT = "autocommit"
    APPROVE = "approve"
    COMMIT = "commit"
    BREAK_GLASS = "break_glass"
    """May this person let a write go that the people it asks have not approved?"""
    SEE = "see"
    """May whoever looks see values of this data class in what a tool brought back?"""
    ALARM = "alarm"
    """Is this call unusual? Rules that forbid it raise its tier or suspend its agent, and decide nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFacts:
    """What is known once a preview has been taken. `money_minor` is 0 and `currency` empty where no money moves."""

    fidelity: Fidelity
    rows: int = 0
    parties: int = 0
    money_minor: int = 0
    currency: str = ""
    sandbox_level: str = ""
    run_writes: int = 0
    agent_writes_last_hour: int = 0
    record_matched: int = 0
    record_judged: int = 0
    trust_level: int = 0

    @property
    def sandbox_rank(self) -> int:
        """Return 2 where nothing of a connector's code can get out, 1 where less holds it, 0 where nothing does."""
        return _SANDBOX_RANKS.get(self.sandbox_level.partition("(")[0], 0)


_SANDBOX_RANKS: Final[Mapping[str, int]] = {"partial": 1, "full": 2, "direct": 2}
"""`direct` stands for connectors that bring no code, so that there is nothing to hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision may depend on: integers, texts and flags, never a float.

    `arguments` is what the tool exposes to policy and this call gives; `missing` names what it exposes and this call
    does not give, or gives as something that is no fact. `claims` is what the agent says of itself. `stops` names the
    kill switches that are on for this call: `hub`, `agent`, `tool`, `connection`. `history` is what was counted of the
    past for the bundle that decides, by the names it declares. `untrusted` names the arguments with a value
    that a result showed for which nobody vouches, `unseen` those with one that nothing in this run showed before.
    `data_class` is what somebody wants to see. `is_addressed`: a result of this run speaks to the model that reads it.
    """

    principal_kind: str
    principal_id: str
    principal_groups: frozenset[str]
    requester_groups: frozenset[str]
    is_suspended: bool
    tool: str
    connector: str
    environment: str
    tier: Tier
    effect: Effect
    upstream_class: UpstreamClass
    reversal: Reversal
    undo_proven: bool
    hour: int
    weekday: int
    agent_version: int = 0
    """Which version of its declaration the agent acts with; 0 for people."""
    arguments: Mapping[str, int | str | bool] = field(default_factory=dict[str, int | str | bool])
    missing: frozenset[str] = frozenset()
    claims: frozenset[str] = frozenset()
    stops: frozenset[str] = frozenset()
    untrusted: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    is_addressed: bool = False
    data_class: str = ""
    history: Mapping[str, int] = field(default_factory=dict[str, int])
    preview: PreviewFacts | None = None

    def as_json(self) -> dict[str, Json]:
        """Return the facts as they are stored beside a decision, so that it can be made again later."""
        stored = {name: getattr(self, name) for name in _NAMES}  # `asdict` would copy every value of the arguments
        for name in _SETS:
            stored[name] = sorted(stored[name])
        stored["preview"] = None if self.preview is None else asdict(self.preview)
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Json]) -> "Facts":
        """Return the facts that `as_json` wrote down.

        Raises:
            ValueError: they are not such facts.
        """
        return _READER.validate_python(stored)


_SETS: Final = ("principal_groups", "requester_groups", "missing", "claims", "stops", "untrusted", "unseen")
_NAMES: Final = tuple(one.name for one in fields(Facts))
_READER: Final = TypeAdapter(Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One rule of the bundle that finds a call unusual; it `raises` the tier to this one, or it `suspends`."""

    rule_id: str
    why: str
    raises: Tier | None
    suspends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Policy allows it."""

    rule_ids: tuple[str, ...]
    bundle_digest: str
    facts: Facts = field(compare=False, repr=False)
    action: Action
    alarms: tuple[Alarm, ...] = ()
    samples: tuple[Sample, ...] = ()
    """What the rules that allow it want looked at afterwards."""
    outcome: ClassVar[str] = "allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Obliged:
    """Policy would allow it once the obligations are met."""

    obligations: tuple[Obligation, ...]
    rule_ids: tuple[str, ...]
    bundle_digest: str
    facts: Facts = field(compare=False, repr=False)
    action: Action
    alarms: tuple[Alarm, ...] = ()
    outcome: ClassVar[str] = "obliged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Policy does not allow it; `reasons` are the rules' own words, empty if no rule permits it in the first place."""

    reasons: tuple[str, ...]
    rule_ids: tuple[str, ...]
    bundle_digest: str
    facts: Facts = field(compare=False, repr=False)
    action: Action
    alarms: tuple[Alarm, ...] = ()
    outcome: ClassVar[str] = "denied"


Decision = Allowed | Obliged | Denied
