"""Tables of approvals: the questions asked, the groups their stages name, the votes, and what was proposed instead."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class QuestionRow(Base):
    """One question: may this revision of an invocation be committed exactly as previewed?"""

    __tablename__ = "approval_questions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    invocation_id: Mapped[str] = mapped_column(String(40))
    revision: Mapped[int] = mapped_column(Integer)
    is_open: Mapped[bool]
    shape: Mapped[str] = mapped_column(String(64))
    """Equal for the questions that are shown as one batch."""
    terms: Mapped[dict[str, Any]] = mapped_column(Json)
    obligations: Mapped[list[Any]] = mapped_column(Json)
    summary: Mapped[dict[str, Any]] = mapped_column(Json)
    excluded: Mapped[list[str]] = mapped_column(Json)
    owned_agent_id: Mapped[str | None] = mapped_column(String(40))
    """The agent that asks for nobody, so that whoever is its owner may not decide it; NULL: it asks for somebody."""
    confirmer_id: Mapped[str | None] = mapped_column(String(40))
    """Who confirms it, where the requester is asked; NULL: nobody does."""
    opened_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    remind_at: Mapped[datetime] = mapped_column(Moment)
    reminded_at: Mapped[datetime | None] = mapped_column(Moment)
    escalate_at: Mapped[datetime] = mapped_column(Moment)
    escalated_at: Mapped[datetime | None] = mapped_column(Moment)
    told_people: Mapped[list[str]] = mapped_column(Json)
    """Who was told beside the groups that policy names."""
    words: Mapped[int] = mapped_column(Integer)
    """How many there were to read when it was asked."""

    __table_args__ = (
        UniqueConstraint("invocation_id", "revision"),
        Index("ix_approval_questions_open", "is_open", "expires_at"),
    )


class StageRow(Base):
    """One group that one stage of a question names, open while that stage is asked: an inbox is one indexed query.

    Whoever is in all groups of one `alternative` is asked.
    """

    __tablename__ = "approval_stages"

    digest: Mapped[str] = mapped_column(ForeignKey("approval_questions.digest"), primary_key=True)
    stage: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    alternative: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    group_name: Mapped[str] = mapped_column(String(64), primary_key=True)
    is_open: Mapped[bool]

    __table_args__ = (Index("ix_approval_stages_inbox", "group_name", "is_open"),)


class BarredRow(Base):
    """One person who may not decide a question, as `QuestionRow.excluded` says: their inbox leaves it out."""

    __tablename__ = "approval_barred"

    digest: Mapped[str] = mapped_column(ForeignKey("approval_questions.digest"), primary_key=True)
    principal_id: Mapped[str] = mapped_column(String(40), primary_key=True)


class VoteRow(Base):
    """One person's vote on one question; a person has one vote."""

    __tablename__ = "votes"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey("approval_questions.digest"))
    voter_id: Mapped[str] = mapped_column(String(40))
    for_id: Mapped[str | None] = mapped_column(String(40))
    """In whose place; NULL: in the voter's own."""
    counts_as: Mapped[str] = mapped_column(String(40))
    """Whose place is taken, which can be taken once."""
    stage: Mapped[int] = mapped_column(Integer)
    groups: Mapped[list[str]] = mapped_column(Json)
    decision: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(Text)
    carried_from: Mapped[str | None] = mapped_column(String(64))
    """The question it was cast on, where policy let it count for this one as well."""
    cast_at: Mapped[datetime] = mapped_column(Moment)
    authenticated_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (
        UniqueConstraint("digest", "voter_id"),
        UniqueConstraint("digest", "counts_as"),
        Index("ix_votes_voter", "voter_id", "cast_at"),
    )


class CounterRow(Base):
    """The arguments that an approver wanted instead, which made this revision of an invocation."""

    __tablename__ = "approval_counters"

    invocation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    author_id: Mapped[str] = mapped_column(String(40))
    for_id: Mapped[str | None] = mapped_column(String(40))
    groups: Mapped[list[str]] = mapped_column(Json)
    reason: Mapped[str] = mapped_column(Text)
    before: Mapped[dict[str, Any]] = mapped_column(Json)
    after: Mapped[dict[str, Any]] = mapped_column(Json)
    obligations: Mapped[list[Any]] = mapped_column(Json)
    made_at: Mapped[datetime] = mapped_column(Moment)


class DeputyRow(Base):
    """One person's leave to vote in another's place, for a time."""

    __tablename__ = "approval_deputies"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    absent_id: Mapped[str] = mapped_column(String(40), index=True)
    deputy_id: Mapped[str] = mapped_column(String(40), index=True)
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
