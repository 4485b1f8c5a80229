"""Values of an invocation: the call that asks for it, the agent's claims, and how it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connectors.sdk.vocabulary import Effect, Tier
from hub.approvals import Counter, Lack, Question
from hub.core.bells import Bell
from hub.dryrun import PreviewRecord
from hub.execution import Asks, Client
from hub.identity.principals import Caller
from hub.invocations.states import State

Json = Any
"""Any JSON value."""


__all__ = [
    "ApprovedBy",
    "Asks",
    "Call",
    "Claims",
    "Client",
    "Invocation",
    "Part",
    "StepProgress",
    "StepStatus",
]


class ApprovedBy(StrEnum):
    """Who gave the permission to commit."""

    POLICY = "policy"
    PEOPLE = "people"
    GRANT = "grant"
    """A standing grant: somebody who could have voted, in advance."""
    PLAN = "plan"
    """What approved the plan that this is a step of."""
    NOBODY = "nobody"
    """An operator broke the glass; somebody else reviews it afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What an agent says about itself and its purpose; kept and shown as a claim, never believed."""

    run: str | None = None
    case: str | None = None
    purpose: str | None = None
    rationale: str | None = None
    confidence: str | None = None
    agent_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which step of which plan a call carries out, or takes back if it is an undo."""

    plan_id: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to use a tool, as a door received it."""

    caller: Caller
    server: str
    tool: str
    arguments: Json
    trace_id: str
    claims: Claims = field(default_factory=Claims)
    idempotency_key: str | None = None
    undoes: str | None = None
    """The invocation that this call takes back, if it is an undo."""
    undo_until: datetime | None = None
    part: Part | None = None
    """The step of a plan that this call is, if the hub itself makes it."""
    through: str | None = None
    """The tool of the hub that it was made through, if it was not called by its own name."""
    beside: str | None = None
    """What is read beside tools, if the hub itself has found it listed; no caller can ask for that by a name."""
    known_as: str | None = None
    """What it is to be called on record, where its door has told that to the client already; no caller chooses it."""
    client: Client = field(default_factory=Client, compare=False, repr=False)
    """Who waits for a read: hears what the system says while it works, and can be asked by it."""
    called_off: Bell | None = field(default=None, compare=False, repr=False)
    """Set when the client wants no answer any more, while it still waits for one."""
    late_round: int | None = None
    """Of a read whose client knows tasks: which round it is of those that can ask late; None: it cannot be asked so."""


class StepStatus(StrEnum):
    """Where one step of a plan stands."""

    AHEAD = "ahead"
    UNDER_WAY = "under_way"
    IN_DOUBT = "in_doubt"
    DONE = "done"
    NOT_DONE = "not_done"
    TAKING_BACK = "taking_back"
    TAKEN_BACK = "taken_back"
    STANDS = "stands"
    """It was done, the plan was stopped, and it could not be taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """How one step of a plan stands: the calls that carried it out and took it back, and why it stands as it does."""

    number: int
    name: str
    tool: str
    status: StepStatus
    invocation_id: str | None = None
    undo_id: str | None = None
    message: str = ""

    def as_json(self) -> dict[str, Json]:
        """Return it as an envelope tells it."""
        told = {
            "step": self.number,
            "name": self.name,
            "tool": self.tool,
            "status": self.status.value,
            "invocation_id": self.invocation_id,
            "undo_id": self.undo_id,
            "message": self.message or None,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How one call stands; a snapshot, read from the record."""

    id: str
    state: State
    revision: int
    server: str
    environment: str
    tool_name: str
    connector: str
    tool_id: str
    tool_version_id: str
    tool_version_digest: str
    connection_id: str
    connection_generation: int
    effect: Effect
    tier: Tier
    agent_id: str
    agent_version: int
    on_behalf_of_id: str | None
    arguments: Mapping[str, Json]
    claims: Claims
    trace_id: str
    intent_digest: str
    approval_digest: str | None
    approved_by: ApprovedBy | None
    policy_digest: str
    fence: int
    sends: int
    output: Json
    error_code: str | None
    error_message: str | None
    rpc_code: int | None
    """Of a read: the code of the error of the protocol (JSON-RPC) that its system answered with, if it did."""
    findings: tuple[str, ...]
    expires_at: datetime | None
    sent_at: datetime | None
    last_event_id: str | None
    created_at: datetime
    updated_at: datetime
    preview: PreviewRecord | None = None
    question: Question | None = None
    counters: tuple[Counter, ...] = ()
    """What approvers have proposed instead of what was asked for, oldest first."""
    alarms: tuple[Mapping[str, str], ...] = ()
    """Which rules of policy found it unusual (`rule`), and `why`."""
    provenance: Sequence[Mapping[str, Json]] = ()
    sealed_arguments: bytes | None = None
    """All arguments, encrypted, if some of them are secret; `arguments` then has markers. Gone once it has ended."""
    sealed_before: bytes | None = None
    """What the preview found, where something of it is hidden: the connector gets it as it was."""
    sealed_output: bytes | None = None
    """The whole answer, where something of it is hidden in `output`: the agent that asked gets it as it was."""
    undoes: str | None = None
    undo_until: datetime | None = None
    retry_at: datetime | None = None
    """Before this nobody goes on with it; of a call that a limit refused: when there may be room again."""
    part: Part | None = None
    stop_reason: str | None = None
    """Of a plan: why it goes no further."""
    progress: tuple[StepProgress, ...] = ()
    """Of a plan that has begun: how its steps stand."""
    conflict: tuple[Mapping[str, str], ...] = ()
    """What somebody else has changed since the commit that this was to take back: see `hub.dryrun.ThreeWay`."""
    masked: tuple[str, ...] = ()
    """The data classes of which whoever looks sees markers; see `hub.invocations.masking`."""
    erased_at: datetime | None = None
    """Since when its values are gone; what it came to is still on record."""
    lacking: tuple[Lack, ...] = ()
    """Of one that waits for people: of whom more are asked than may vote as the groups are now."""
    asks: Asks | None = None
    """Of a read that its system did not answer yet: what it asks first. It is told once, and not kept here."""
    repeats: bool = False
    """This answer joins an earlier call instead of starting a new one."""
    is_keyed: bool = False
    """It does so by a key that its caller gave both: whoever does that knows that it is the same call."""
    passed_on_by: tuple[str, ...] = ()
    """Through which agents the leave of the person it is for came to its agent, the latest first."""
    issuer: str | None = None
    """The external issuer on whose word its agent acts for that person, if it is not on the person's own."""
    resource: str | None = None
    """Where the token counted by which it came, if it came by one."""
    leave_from: datetime | None = None
    """When the leave began by which its agent acts for that person, if it came by a token."""
    taken_back_by: str = ""
    """The undo that has taken it back since; told where somebody looks, and not kept here."""

    @property
    def upstream_key(self) -> str:
        """Return the idempotency key the system sees: the same for every resend of one revision."""
        return f"{self.id}.{self.revision}"
