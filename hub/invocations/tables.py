"""Tables of invocations: the calls themselves, their commit attempts and the keys that recognise a repeat."""

from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


def _where(condition: str, name: str, *columns: str) -> Index:
    """Return an index of some calls: most are reads, and what is asked of writes alone is not written for them."""
    which = text(condition)
    return Index(f"ix_invocations_{name}", *columns, sqlite_where=which, postgresql_where=which)


class InvocationRow(Base):
    """One call of one tool by one caller, from request to outcome."""

    __tablename__ = "invocations"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    revision: Mapped[int] = mapped_column(Integer, default=1)
    server: Mapped[str] = mapped_column(String(64))
    environment: Mapped[str] = mapped_column(String(16))
    tool_name: Mapped[str] = mapped_column(String(48))
    connector: Mapped[str] = mapped_column(String(32))
    tool_id: Mapped[str] = mapped_column(String(40))
    tool_version_id: Mapped[str] = mapped_column(String(40))
    tool_version_digest: Mapped[str] = mapped_column(String(64))
    connection_id: Mapped[str] = mapped_column(String(40))
    connection_generation: Mapped[int] = mapped_column(Integer)
    effect: Mapped[str] = mapped_column(String(8))
    tier: Mapped[str] = mapped_column(String(8))
    agent_id: Mapped[str] = mapped_column(String(40))
    agent_version: Mapped[int] = mapped_column(Integer, default=0)
    """Which version of its declaration the agent's token was bound to; 0 for people."""
    on_behalf_of_id: Mapped[str | None] = mapped_column(String(40))
    passed_on_by: Mapped[list[str] | None] = mapped_column(Json)
    """Through which agents that person's leave came to this one, the latest first; NULL: it was given to it."""
    issuer: Mapped[str | None] = mapped_column(String(500))
    """The external issuer on whose word the agent acts for that person, if it is not on the person's own."""
    resource: Mapped[str | None] = mapped_column(String(600))
    """Where the token counted by which the call came, if it came by one."""
    leave_from: Mapped[datetime | None] = mapped_column(Moment)
    """When the leave began by which the agent acts for that person, if it came by a token: when it ends, this ends."""
    arguments: Mapped[dict[str, Any]] = mapped_column(Json)
    """Without secrets: markers stand in their places."""
    sealed_arguments: Mapped[bytes | None] = mapped_column(LargeBinary)
    """All of them, encrypted; NULL where none is secret, and once the invocation has ended."""
    sealed_before: Mapped[bytes | None] = mapped_column(LargeBinary)
    claims: Mapped[dict[str, str]] = mapped_column(Json)
    run_id: Mapped[str | None] = mapped_column(String(128))
    case_key: Mapped[str | None] = mapped_column(String(32))
    """An HMAC of the case that the agent named: enough to tell cases apart once the claims are gone."""
    alarms: Mapped[list[dict[str, str]] | None] = mapped_column(Json)
    """Which rules found it unusual, and why; NULL if none did."""
    provenance: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """Of a write: where each value of its arguments was seen before, without the values."""
    trace_id: Mapped[str] = mapped_column(String(64))
    intent_digest: Mapped[str] = mapped_column(String(64))
    approval_digest: Mapped[str | None] = mapped_column(String(64))
    approved_by: Mapped[str | None] = mapped_column(String(8))
    policy_digest: Mapped[str] = mapped_column(String(64))
    deadline: Mapped[datetime | None] = mapped_column(Moment)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    not_before: Mapped[datetime | None] = mapped_column(Moment)
    sends: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    output: Mapped[Any | None] = mapped_column(Json)
    """Without secrets, like the arguments."""
    sealed_output: Mapped[bytes | None] = mapped_column(LargeBinary)
    """All of it, encrypted; NULL where nothing in it is secret."""
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    rpc_code: Mapped[int | None] = mapped_column(BigInteger)
    """Of a read that its system answered with an error of the protocol: the code of that."""
    findings: Mapped[list[str]] = mapped_column(Json)
    latency_ms: Mapped[int | None] = mapped_column(Integer)
    """Of a read that has ended: how long its connector took."""
    last_event_id: Mapped[str | None] = mapped_column(String(40))
    part_of: Mapped[str | None] = mapped_column(String(40))
    """The invocation whose plan this is a step of, or an undo of such a step."""
    step: Mapped[int | None] = mapped_column(Integer)
    """The number of that step; the first is 1."""
    stop_reason: Mapped[str | None] = mapped_column(Text)
    """Of a plan: why it goes no further, and what was done is taken back."""
    undoes: Mapped[str | None] = mapped_column(String(40))
    """The invocation that this one takes back."""
    undo_until: Mapped[datetime | None] = mapped_column(Moment)
    """Until when it may be sent, if what it takes back can be undone only for some time."""
    conflict: Mapped[list[dict[str, str]] | None] = mapped_column(Json)
    """What somebody else has changed since the commit that it was to take back."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    erased_at: Mapped[datetime | None] = mapped_column(Moment)
    """Since when its values are gone: `hub.invocations.emptying`."""

    __table_args__ = (
        _where("erased_at IS NULL", "kept", "updated_at"),
        _where("effect <> 'read'", "moved", "updated_at"),
        _where("effect <> 'read'", "intent", "intent_digest", "id"),
        _where("effect <> 'read'", "on_behalf_of_state", "on_behalf_of_id", "state"),
        _where("run_id IS NOT NULL", "run", "run_id"),
        _where("undoes IS NOT NULL", "undoes", "undoes"),
        _where("part_of IS NOT NULL", "part_of", "part_of", "id"),
        _where("sent_at IS NOT NULL", "trust", "agent_id", "tool_id", "state"),
        _where("sent_at IS NOT NULL", "agent_sent", "agent_id", "sent_at"),
        _where("sent_at IS NOT NULL", "on_behalf_of_sent", "on_behalf_of_id", "sent_at"),
        _where("sent_at IS NOT NULL", "tool_sent", "tool_id", "sent_at"),
        _where("sent_at IS NOT NULL", "connection_sent", "connection_id", "sent_at"),
        Index("ix_invocations_created", "created_at"),
        Index("ix_invocations_agent", "agent_id", "id"),
        Index("ix_invocations_tool", "tool_name", "id"),
        Index("ix_invocations_state", "state", "id"),
        Index("ix_invocations_requester", "agent_id", "on_behalf_of_id", "id"),
        Index("ix_invocations_version", "tool_version_id", "id"),
        Index("ix_invocations_agent_created", "agent_id", "created_at"),
        Index("ix_invocations_on_behalf_of", "on_behalf_of_id", "id"),
        Index("ix_invocations_work", "state", "lease_until"),
    )


IS_WRITE: Final = InvocationRow.effect != literal_column("'read'")
"""Said with these words, so that the indexes of writes alone are used."""

_COLUMNS: Final = dict.fromkeys(cast("Table", InvocationRow.__table__).columns.keys())


class NewRow(SimpleNamespace):
    """All columns of a call that goes on record, by name; the ORM, which watches each of them, is not asked for it."""

    def __init__(self, **columns: Any) -> None:  # noqa: ANN401  # a column holds what its type says
        if unknown := columns.keys() - _COLUMNS.keys():
            raise TypeError(f"there is no column {', '.join(sorted(unknown))}")
        super().__init__(**_COLUMNS | columns)

    @property
    def for_orm(self) -> InvocationRow:
        """The same row for a session to add; what is not there is left out, as JSON it would be the value null."""
        return InvocationRow(**{name: value for name, value in vars(self).items() if value is not None})


class AmountRow(Base):
    """A number of a write that policy may sum up: an argument its tool exposes, or the money its preview shows."""

    __tablename__ = "invocation_amounts"

    invocation_id: Mapped[str] = mapped_column(ForeignKey("invocations.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(8))


class SeenValueRow(Base):
    """A value that a call of one run brought back or was agreed to with, by its HMAC, and who showed it first."""

    __tablename__ = "seen_values"

    mac: Mapped[str] = mapped_column(String(32), primary_key=True)
    run_id: Mapped[str] = mapped_column(String(128), primary_key=True)
    origin: Mapped[str] = mapped_column(String(8))
    tool: Mapped[str] = mapped_column(String(96))
    is_trusted: Mapped[bool]
    seen_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_seen_values_seen_at", "seen_at"),)


class AttemptRow(Base):
    """One time that a commit's first byte was allowed to leave; the constraints are invariant 1 of governance."""

    __tablename__ = "commit_attempts"

    invocation_id: Mapped[str] = mapped_column(ForeignKey("invocations.id"), primary_key=True)
    fence: Mapped[int] = mapped_column(Integer, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    spends: Mapped[str | None] = mapped_column(String(64))
    """The approval digest this attempt uses up; NULL for a resend, which belongs to the first."""
    sent_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (UniqueConstraint("spends"),)


class RepeatKeyRow(Base):
    """What recognises a repeated call: the caller's own key, or a digest of the call within one run."""

    __tablename__ = "repeat_keys"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    invocation_id: Mapped[str] = mapped_column(String(40))
    intent_digest: Mapped[str] = mapped_column(String(64))
    is_explicit: Mapped[bool]


class TaskHandleRow(Base):
    """What a client that knows tasks holds of an invocation; one for each caller, server and invocation."""

    __tablename__ = "task_handles"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    invocation_id: Mapped[str] = mapped_column(ForeignKey("invocations.id"))
    bound_to: Mapped[str] = mapped_column(String(96))
    """The pair of principals whose handle it is."""
    server: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    answered: Mapped[list[str]] = mapped_column(Json)
    is_too_late: Mapped[bool]
    ended: Mapped[dict[str, str] | None] = mapped_column(Json)
    """What it came to, where that is no invocation's to say; see `hub.invocations.handles.Ended`."""

    __table_args__ = (
        UniqueConstraint("invocation_id", "bound_to", "server"),
        Index("ix_task_handles_ends_at", "ends_at"),
    )


class LateQuestionsRow(Base):
    """What a read that has become a task ended with instead of an answer: its system's questions, while they wait."""

    __tablename__ = "late_questions"

    invocation_id: Mapped[str] = mapped_column(ForeignKey("invocations.id"), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(40))
    round: Mapped[int] = mapped_column(Integer)
    kept: Mapped[bytes] = mapped_column(LargeBinary)
    """The questions, what was replied so far, and the call, encrypted."""
    next_id: Mapped[str | None] = mapped_column(String(40))
    """What the next round is called on record, for whoever makes it last."""
    lease_until: Mapped[datetime | None] = mapped_column(Moment)
    until: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_late_questions_until", "until"),)


class FindingRow(Base):
    """What an operator found about a write in doubt; an operator has one say."""

    __tablename__ = "doubt_findings"

    invocation_id: Mapped[str] = mapped_column(ForeignKey("invocations.id"), primary_key=True)
    operator_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    has_happened: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime] = mapped_column(Moment)
