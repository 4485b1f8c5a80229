"""Tables of the audit log: events, the values their commitments stand for, the tree's tiles, signed checkpoints."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment

_IS_UNNUMBERED = text("position IS NULL")
_IS_NUMBERED = text("position IS NOT NULL")
_IS_REFUSED = text("kind = 'invocation.refused'")
_IS_ERASING = text("kind = 'values.erased'")
DECIDED_ON = "decided_on"
"""The private value with which a decision can be made again; it is kept longer than others."""
_IS_BODY = text(f"field <> '{DECIDED_ON}'")


class EventRow(Base):
    """One event: the canonical bytes that are hashed, and once sequenced its place in the tree.

    `entry` only orders: what one process writes later has a higher one. It has gaps; `position` has none.
    """

    __tablename__ = "audit_events"

    entry: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), unique=True)
    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    actor: Mapped[str | None] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(Moment)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    position: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index("ix_audit_events_subject", "subject", "entry"),
        Index("ix_audit_events_erasing", "entry", sqlite_where=_IS_ERASING, postgresql_where=_IS_ERASING),
        Index("ix_audit_events_refused", "at", sqlite_where=_IS_REFUSED, postgresql_where=_IS_REFUSED),
        Index(
            "uq_audit_events_position",
            "position",
            unique=True,
            sqlite_where=_IS_NUMBERED,
            postgresql_where=_IS_NUMBERED,
        ),
        Index("ix_audit_events_unnumbered", "entry", sqlite_where=_IS_UNNUMBERED, postgresql_where=_IS_UNNUMBERED),
    )


class ValueRow(Base):
    """A private value with its salt, encrypted; deleting the row erases the value and no proof."""

    __tablename__ = "audit_values"

    # no foreign key: rows are made beside their event in one place, and events may later be partitioned by time
    event_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    field: Mapped[str] = mapped_column(String(40), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        Index("ix_audit_values_bodies", "event_id", sqlite_where=_IS_BODY, postgresql_where=_IS_BODY),
        {"sqlite_with_rowid": False},
    )


class TileRow(Base):
    """Up to 256 neighbouring hashes of one level of the tree; `level` counts in steps of 256 (C2SP tlog-tiles)."""

    __tablename__ = "audit_tiles"

    level: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hashes: Mapped[bytes] = mapped_column(LargeBinary)


class CheckpointRow(Base):
    """A signed statement of the tree at one size, with the frontier that the next events are added to."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    note: Mapped[str] = mapped_column(Text)
    frontier: Mapped[list[Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(Moment)
