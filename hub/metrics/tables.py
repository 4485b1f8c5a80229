"""Tables of metrics: what was counted of each day and how far, workers that are at work, cost centres."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Date, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class CountedRow(Base):
    """How often something was counted for the calls of one day in one place; nought has no row.

    It holds ids, and no word of what was called: it outlives the values of the calls that it counts.
    """

    __tablename__ = "metric_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    agent_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    environment: Mapped[str] = mapped_column(String(16), primary_key=True)
    tool_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Empty: a call of something that is no tool."""
    centre_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Empty: nobody had assigned it to a cost centre."""
    decider: Mapped[str] = mapped_column(String(80), primary_key=True)
    """Empty: all calls; else those that this group was asked about, or that this person decided on."""
    count: Mapped[str] = mapped_column(String(12), primary_key=True)
    unit: Mapped[str] = mapped_column(String(32), primary_key=True)
    case_key: Mapped[str] = mapped_column(String(32), primary_key=True)
    seconds: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(BigInteger)


class ProgressRow(Base):
    """One row: up to where it was counted, and which process is at it."""

    __tablename__ = "metric_progress"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    fence: Mapped[int] = mapped_column(Integer)
    lease_until: Mapped[datetime] = mapped_column(Moment)
    counted_until: Mapped[date | None] = mapped_column(Date)
    """The first day that was not counted yet; NULL before the first was."""
    seen_until: Mapped[datetime | None] = mapped_column(Moment)
    """Up to when moves of earlier calls have been seen."""


class HeartbeatRow(Base):
    """One worker that is at work, or was when it was last heard of."""

    __tablename__ = "worker_heartbeats"

    worker_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    began_at: Mapped[datetime] = mapped_column(Moment)
    beat_at: Mapped[datetime] = mapped_column(Moment)


class CentreRow(Base):
    """A cost centre; it is closed, never deleted, because past costs stay where they were."""

    __tablename__ = "cost_centres"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    title: Mapped[str] = mapped_column(String(120))
    owner_id: Mapped[str] = mapped_column(String(40), ForeignKey("principals.id"))
    created_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime | None] = mapped_column(Moment)


class AssignmentRow(Base):
    """Where the costs of one agent, user or server go from a moment on, until the next assignment of the same."""

    __tablename__ = "cost_assignments"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    subject: Mapped[str] = mapped_column(String(48))
    centre_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("cost_centres.id"))
    """NULL: to none from then on."""
    valid_from: Mapped[datetime] = mapped_column(Moment)
    assigned_by: Mapped[str | None] = mapped_column(String(40))
    assigned_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (
        Index("ix_cost_assignments_subject", "kind", "subject", "valid_from"),
        Index("ix_cost_assignments_valid", "valid_from"),
    )
