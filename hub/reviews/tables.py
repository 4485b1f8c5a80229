"""Tables of reviews: writes to be looked at afterwards, and when an owner last looked at an agent's setbacks."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class ReviewRow(Base):
    """One write that somebody looks at after the fact; it waits from `opened_at` until it has a verdict."""

    __tablename__ = "reviews"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    approval_digest: Mapped[str] = mapped_column(String(64), unique=True)
    invocation_id: Mapped[str] = mapped_column(String(40))
    environment: Mapped[str] = mapped_column(String(16))
    agent_id: Mapped[str] = mapped_column(String(40))
    tool_id: Mapped[str] = mapped_column(String(40))
    tool_name: Mapped[str] = mapped_column(String(48))
    reviewers: Mapped[list[str]] = mapped_column(Json)
    excluded: Mapped[list[str]] = mapped_column(Json)
    owned_agent_id: Mapped[str | None] = mapped_column(String(40))
    """The agent, where it wrote for nobody: whoever owns it by now reviews nothing of that."""
    breaker_id: Mapped[str | None] = mapped_column(String(40))
    why: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime | None] = mapped_column(Moment)
    """NULL while a write that was drawn for review has not been carried out."""
    verdict: Mapped[str | None] = mapped_column(String(8))
    reviewer_id: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str | None] = mapped_column(Text)
    reviewed_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (
        Index("ix_reviews_waiting", "verdict", "opened_at"),
        Index("ix_reviews_breaker", "breaker_id", "verdict"),
        Index("ix_reviews_invocation", "invocation_id"),
        Index("ix_reviews_record", "agent_id", "tool_id", "verdict"),
    )


class ReviewerRow(Base):
    """One group that a review asks, open while it waits: whoever is in all groups of one `alternative` may do it."""

    __tablename__ = "review_reviewers"

    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), primary_key=True)
    alternative: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    group_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    is_open: Mapped[bool]

    __table_args__ = (Index("ix_review_reviewers_waiting", "group_name", "is_open"),)


class ReviewBarredRow(Base):
    """One person who may not do a review, as `ReviewRow.excluded` says: it does not wait for them."""

    __tablename__ = "review_barred"

    review_id: Mapped[str] = mapped_column(ForeignKey("reviews.id"), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), primary_key=True)


class LookRow(Base):
    """One time that whoever answers for a tool looked at what an agent had done wrong with it."""

    __tablename__ = "trust_looks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    agent_id: Mapped[str] = mapped_column(String(40))
    tool_id: Mapped[str] = mapped_column(String(40))
    looked_by: Mapped[str | None] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)
    looked_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_trust_looks_record", "agent_id", "tool_id", "looked_at"),)
