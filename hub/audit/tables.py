"""Tables of the audit log: events, the values their commitments stand for, and signed checkpoints."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class EventRow(Base):
    """One event: the canonical bytes that are hashed, and once sequenced its place in the tree."""

    __tablename__ = "audit_events"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    actor: Mapped[str | None] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(Moment)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)

    __table_args__ = (Index("ix_audit_events_subject", "subject", "id"),)


class ValueRow(Base):
    """A private value with its salt, encrypted; deleting the row erases the value and no proof."""

    __tablename__ = "audit_values"

    event_id: Mapped[str] = mapped_column(ForeignKey("audit_events.id"), primary_key=True)
    field: Mapped[str] = mapped_column(String(40), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class CheckpointRow(Base):
    """A signed statement of the tree at one size, with the frontier that the next events are added to."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    note: Mapped[str] = mapped_column(Text)
    frontier: Mapped[list[Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(Moment)
