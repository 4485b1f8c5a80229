"""Tables of sessions of the older protocol: what has changed since one was opened, and what its client is asked."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class McpSessionRow(Base):
    """What its client said in a session since it was opened; a session that nothing was said in has no row."""

    __tablename__ = "mcp_sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    log_level: Mapped[str | None] = mapped_column(String(16))
    is_over: Mapped[bool]
    until: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_mcp_sessions_until", "until"),)


class McpQuestionRow(Base):
    """A question that waits for a client's answer, which may come in at another process."""

    __tablename__ = "mcp_questions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(40))
    answer: Mapped[str | None] = mapped_column(Text)
    """Sealed; it is read once, and gone with the question."""
    until: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_mcp_questions_until", "until"),)
