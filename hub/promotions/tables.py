"""Table of promotions: which release was to be used where, its gates and their evidence, and what became of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class PromotionRow(Base):
    """One promotion. Release, environment and asker never change; its state moves on, each time with an event."""

    __tablename__ = "promotions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"))
    environment: Mapped[str] = mapped_column(String(16))
    release_id: Mapped[str] = mapped_column(String(40), ForeignKey("connector_releases.id"))
    former_release_id: Mapped[str | None] = mapped_column(String(40), ForeignKey("connector_releases.id"))
    """What was in use when it was asked for, and what comes back if it is reverted."""
    state: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str | None] = mapped_column(String(40))
    asked_at: Mapped[datetime] = mapped_column(Moment)
    findings: Mapped[list[dict[str, str]]] = mapped_column(Json)
    rehearsal: Mapped[dict[str, Any] | None] = mapped_column(Json)
    explanation: Mapped[str | None] = mapped_column(Text)
    explained_by: Mapped[str | None] = mapped_column(String(40))
    decided_by: Mapped[str | None] = mapped_column(String(40))
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_why: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_why: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("ix_promotions_place", "connector", "environment", "state"),)
