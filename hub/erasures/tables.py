"""Tables of erasures that were asked for, and of legal holds."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class ErasureRow(Base):
    """One erasure: what it is to delete, who asked, and what an auditor made of it."""

    __tablename__ = "erasures"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    subject: Mapped[str] = mapped_column(String(200))
    connection_id: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(String(40))
    asked_at: Mapped[datetime] = mapped_column(Moment)
    stage: Mapped[str] = mapped_column(String(8))
    decided_by: Mapped[str | None] = mapped_column(String(40))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str | None] = mapped_column(Text)
    """Why it was refused."""
    counts: Mapped[dict[str, Any]] = mapped_column(Json)
    """How much was deleted."""

    __table_args__ = (Index("ix_erasures_stage", "stage", "id"),)


class HoldRow(Base):
    """One legal hold; it stands until it is lifted."""

    __tablename__ = "legal_holds"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    subject: Mapped[str] = mapped_column(String(200))
    connection_id: Mapped[str | None] = mapped_column(String(40))
    since: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text)
    set_by: Mapped[str] = mapped_column(String(40))
    set_at: Mapped[datetime] = mapped_column(Moment)
    lifted_by: Mapped[str | None] = mapped_column(String(40))
    lifted_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
