"""Tables of sessions of the older protocol: what has changed since one was opened, what is asked and told in it."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class McpSessionRow(Base):
    """What its client said in a session since it was opened; a session that nothing was said in has no row."""

    __tablename__ = "mcp_sessions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    log_level: Mapped[str | None] = mapped_column(String(16))
    is_over: Mapped[bool]
    news: Mapped[str | None] = mapped_column(String(40))
    """The stream on which its client is told of news: the newest that it has opened."""
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


class McpSubscriptionRow(Base):
    """A resource of which a client wants to hear when it changes, by its published address."""

    __tablename__ = "mcp_subscriptions"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    uri_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    uri: Mapped[str] = mapped_column(Text)
    whose: Mapped[str] = mapped_column(String(64))
    """The pair of principals, as a digest: what is subscribed to is bounded for each."""
    changed: Mapped[int] = mapped_column(BigInteger)
    """How often it had been said to change then: what is said before a stream is open is told on it."""
    until: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (
        Index("ix_mcp_subscriptions_until", "until"),
        Index("ix_mcp_subscriptions_whose", "whose"),
    )
