"""What came of running connector code: outcomes that cannot be mistaken for one another, and how the code ran."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Generic, TypeVar

from connectors.sdk.preview import Preview
from connectors.sdk.run import Replies
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from hub.execution.overhearing import Heard
from hub.registry import Connection
from sandbox.upstream import Hear

Json = Any
"""Any JSON value."""

INPUT_REQUIRED: Final = "input_required"
"""Why a read ended without an answer whose system asks first; the next round is a read of its own."""
LACKS_CAPABILITY: Final = -32021
"""The error of the protocol with which a system refuses a client that it could not ask what it has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a call is carried out against. Calls on behalf of different people never share a process."""

    connector: ConnectorSpec
    operation: OperationSpec
    connection: Connection
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """It was done. `findings` are blemishes of the answer; they never turn a write that was done into an error."""

    output: Json
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The connector's own rules have nothing against the write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """The preview was taken."""

    preview: Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The records as they are now, by target; None where there is none."""

    records: Mapping[str, Mapping[str, Json] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It was definitely not done: refused, not found, or never sent (`code` says which).

    `rpc_code` is the number of the error of a protocol (JSON-RPC), where the system answered with one.
    """

    code: str
    message: str
    rpc_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """A read went no further, and nothing was done: its system asks its client first.

    `requests` are the questions, by name; where there are none, `needs` are the capabilities that the client lacks.
    Who asks is `connection`, and `tool` if it is one that asks.
    """

    requests: Mapping[str, Json]
    state: str | None
    needs: Mapping[str, Json]
    connection: str = ""
    tool: str | None = None

    @property
    def code(self) -> str:
        """How it stands on record."""
        return INPUT_REQUIRED

    @property
    def rpc_code(self) -> int | None:
        """The error of the protocol that it was answered with, if its client cannot be asked at all."""
        return None if self.requests else LACKS_CAPABILITY

    @property
    def message(self) -> str:
        """Why it went no further."""
        if self.requests:
            return "The system asks for more before it answers, and this client was asked."
        return "The system would have to ask what this client says it cannot be asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflicted:
    """The guard was definitely refused; nothing was done."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Something was sent and nobody knows whether it was done."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A read or a preview tried to write, and the fence stopped it."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """The system answers and lets the hub in."""

    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """The system cannot be used as it is; the message says why."""

    message: str
    is_there: bool = False
    """Whether it answered, though not as it should: some systems turn a probe away and serve calls."""


Health = Reachable | Unreachable
ReadOutcome = Succeeded | Failed | Asks | Violation
CheckOutcome = Passed | Failed | Violation
PreviewOutcome = Previewed | Failed | Violation
CommitOutcome = Succeeded | Failed | Conflicted | Unknown
LookUpOutcome = Succeeded | Failed | Unknown
ObserveOutcome = Observed | Failed


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptEntry:
    """One request that connector code asked for: what it was and what became of it, never its contents."""

    method: str
    path: str
    operation: str | None
    is_safe: bool
    status: int | None
    verdict: str
    milliseconds: int
    size: int = 0
    """Bytes of the answer."""
    on_twin: bool = False
    """Whether it went to a copy of the system."""

    @property
    def line(self) -> str:
        """Return the entry as one line for people."""
        name = self.operation or f"{self.method} {self.path}"
        where = " on the twin" if self.on_twin else ""
        return f"{name}{where}: {self.verdict}{'' if self.status is None else f' ({self.status})'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """How connector code ran: what it asked for, how confined it was, how long it took."""

    transcript: tuple[TranscriptEntry, ...]
    sandbox_level: str
    latency_ms: int
    heard: tuple[Heard, ...] | None = None
    """Of a preview: what passed, if all of it was kept. It may hold anything that the system said."""

    def transcript_json(self) -> list[dict[str, Json]]:
        """Return the transcript as JSON."""
        return [asdict(entry) for entry in self.transcript]


T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran(Generic[T_co]):
    """An outcome, and how it came about."""

    outcome: T_co
    passage: Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who waits for a read: who hears what the system says meanwhile, what it can be asked, and what it replied."""

    hear: Hear | None = field(default=None, compare=False, repr=False)
    replies: Replies = field(default_factory=Replies)
    asked_by: str | None = None
    """The connection whose questions it replies to: what somebody told one system is for no other."""


Permit = Callable[[], Awaitable[None]]
"""Awaited before each unsafe request: it makes "sent" durable and checks the fence. If it raises, nothing leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitOrder:
    """What a commit is bound to beside its arguments."""

    idempotency_key: str
    guard: Mapping[str, str]
    before: Mapping[str, Mapping[str, Json]]
    deadline_seconds: float
    permit: Permit
