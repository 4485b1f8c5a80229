"""Tables of pins: when a federated server was looked at, and what it said otherwise than its owner accepted."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class PinLookRow(Base):
    """The latest look at one connection's server, and when the next one is due."""

    __tablename__ = "pin_looks"

    connection_id: Mapped[str] = mapped_column(String(40), ForeignKey("connections.id"), primary_key=True)
    looked_at: Mapped[datetime | None] = mapped_column(Moment)
    look_at: Mapped[datetime] = mapped_column(Moment)
    problem: Mapped[str | None] = mapped_column(String(500))
    """Why it could not be looked at; what was accepted stands all the same."""


class PinChangeRow(Base):
    """What a server said on one day: a release that is none before its owner accepts it."""

    __tablename__ = "pin_changes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    connector: Mapped[str] = mapped_column(String(32), ForeignKey("connectors.name"))
    connection_id: Mapped[str] = mapped_column(String(40), ForeignKey("connections.id"))
    digest: Mapped[str] = mapped_column(String(64))
    """Of what the server says and of the release that it would replace: who accepts it accepts this difference."""
    release: Mapped[str] = mapped_column(String(64))
    """The digest of the release that accepting it makes."""
    spec: Mapped[str] = mapped_column(Text, deferred=True, deferred_raiseload=True)
    """Megabytes, where a server lists thousands of tools."""
    advice: Mapped[list[dict[str, str]]] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(12))
    found_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index("ix_pin_changes_waiting", "connection_id", "state"),)
