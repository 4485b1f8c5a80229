"""Tables of standing grants: what was granted and what is left of it, and every use that was made of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class StandingGrantRow(Base):
    """One approver's permission in advance; what is left never falls below zero, whoever spends at the same time."""

    __tablename__ = "standing_grants"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    giver_id: Mapped[str] = mapped_column(String(40))
    group_name: Mapped[str] = mapped_column(String(255))
    asked: Mapped[dict[str, Any]] = mapped_column(Json)
    agent_id: Mapped[str] = mapped_column(String(40))
    tool_id: Mapped[str] = mapped_column(String(40))
    tool_name: Mapped[str] = mapped_column(String(48))
    tool_version_digest: Mapped[str] = mapped_column(String(64))
    connection_id: Mapped[str] = mapped_column(String(40))
    connection_generation: Mapped[int] = mapped_column(Integer)
    environment: Mapped[str] = mapped_column(String(16))
    tier: Mapped[str] = mapped_column(String(8))
    limits: Mapped[dict[str, Any]] = mapped_column(Json)
    most_rows: Mapped[int] = mapped_column(BigInteger)
    most_parties: Mapped[int] = mapped_column(BigInteger)
    side_effects: Mapped[list[list[str]]] = mapped_column(Json)
    """What its giver saw happen beside the changes: kind and recipient of each; empty once the example was emptied."""
    not_covered: Mapped[list[str]] = mapped_column(Json)
    """What its giver was told that no preview shows; empty once the example was emptied."""
    to_anybody: Mapped[bool]
    uses: Mapped[int] = mapped_column(Integer)
    uses_left: Mapped[int] = mapped_column(Integer)
    money_minor: Mapped[int] = mapped_column(BigInteger)
    money_left_minor: Mapped[int] = mapped_column(BigInteger)
    money_per_call_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str] = mapped_column(Text)
    like_invocation_id: Mapped[str] = mapped_column(String(40))
    authenticated_at: Mapped[datetime] = mapped_column(Moment)
    given_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_by: Mapped[str | None] = mapped_column(String(40))
    revoked_reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("uses_left >= 0 AND uses_left <= uses", name="uses_left"),
        CheckConstraint("money_left_minor >= 0 AND money_left_minor <= money_minor", name="money_left"),
        Index("ix_standing_grants_for", "agent_id", "tool_id", "connection_id"),
        Index("ix_standing_grants_giver", "giver_id"),
        Index("ix_standing_grants_group", "group_name"),
    )


class SpendingRow(Base):
    """One approval that a standing grant gave, what it cost, and the terms it is bound to."""

    __tablename__ = "standing_grant_spendings"

    approval_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("standing_grants.id"))
    invocation_id: Mapped[str] = mapped_column(String(40))
    revision: Mapped[int] = mapped_column(Integer)
    terms: Mapped[dict[str, Any]] = mapped_column(Json)
    summary: Mapped[dict[str, Any]] = mapped_column(Json)
    money_minor: Mapped[int] = mapped_column(BigInteger)
    spent_at: Mapped[datetime] = mapped_column(Moment)
    returned_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (Index("ix_standing_grant_spendings_grant", "grant_id"),)
