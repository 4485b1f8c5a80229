"""Tables of limits, of what was used of them and by which invocation, of calls under way, outages and switches."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class LimitRow(Base):
    """One limit, as somebody set it; never changed, only lifted."""

    __tablename__ = "limits"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    per: Mapped[str] = mapped_column(String(8))
    subject: Mapped[str] = mapped_column(String(160))
    """Of whom; empty: of each one, separately."""
    measure: Mapped[str] = mapped_column(String(8))
    unit: Mapped[str] = mapped_column(String(32))
    amount: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[int] = mapped_column(Integer)
    set_by: Mapped[str | None] = mapped_column(String(40))
    set_at: Mapped[datetime] = mapped_column(Moment)
    lifted_at: Mapped[datetime | None] = mapped_column(Moment)


class UsageRow(Base):
    """How much of a limit one subject has used within one window, which began so many seconds after 1970.

    Of a limit without windows there is one row, which began at 0: of time it says when the run made its first call; of
    calls at the same time it holds nothing, and whoever looks for a place waits for it.
    """

    __tablename__ = "limit_usage"

    limit_id: Mapped[str] = mapped_column(ForeignKey("limits.id"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(160), primary_key=True)
    began: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    used: Mapped[int] = mapped_column(BigInteger)


class TakenRow(Base):
    """What a write took of a limit when it was claimed, so that it takes it once and can give it back."""

    __tablename__ = "limit_takings"

    invocation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    limit_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(160))
    began: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int] = mapped_column(BigInteger)


class PlaceRow(Base):
    """The place of one call that is under way, among those that a limit allows at the same time.

    It counts until it is given up or its time is over, so that what a dead process held is free again.
    """

    __tablename__ = "limit_places"

    limit_id: Mapped[str] = mapped_column(ForeignKey("limits.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The invocation that is under way, or that is about to begin."""
    subject: Mapped[str] = mapped_column(String(160))
    until: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (
        Index("ix_limit_places_free", "limit_id", "subject", "until"),
        Index("ix_limit_places_holder", "holder"),
    )


class OutageRow(Base):
    """A connection whose last calls failed to reach its system; none, once one did."""

    __tablename__ = "outages"

    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    """How many, one after another."""
    reason: Mapped[str] = mapped_column(String(500))
    unavailable_since: Mapped[datetime | None] = mapped_column(Moment)
    """Since when no call is made; NULL while too few have failed, or nobody has looked yet."""
    look_at: Mapped[datetime] = mapped_column(Moment)
    """When the hub looks again by itself, or is done looking at the latest."""
    looks: Mapped[int] = mapped_column(Integer)


class StopRow(Base):
    """A kill switch that is on."""

    __tablename__ = "stops"

    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    subject: Mapped[str] = mapped_column(String(40), primary_key=True)
    """Which agent, tool or connection; empty for the whole hub."""
    reason: Mapped[str] = mapped_column(String(500))
    set_by: Mapped[str | None] = mapped_column(String(40))
    set_at: Mapped[datetime] = mapped_column(Moment)
