"""The table of messages that wait to leave, have left, or were given up."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class MessageRow(Base):
    """One message. While a worker has it, `due_at` lies in the future, so that nobody else takes it."""

    __tablename__ = "outbox_messages"
    __table_args__ = (UniqueConstraint("topic", "key"), Index("ix_outbox_messages_state_due_at", "state", "due_at"))

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    topic: Mapped[str] = mapped_column(String(60))
    key: Mapped[str] = mapped_column(String(200))
    payload: Mapped[Any] = mapped_column(Json)
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    last_error: Mapped[str | None] = mapped_column(Text)
