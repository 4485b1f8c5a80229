"""Table of keys: data keys and signing keys, each sealed under the master key."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment

_IS_CURRENT = text("retired_at IS NULL")


class KeyRow(Base):
    """One key; retired ones stay for as long as something they made may be read."""

    __tablename__ = "keys"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    public: Mapped[dict[str, Any] | None] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Moment)
    retired_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (
        # two processes that start at once can never leave two current keys of one purpose
        Index("uq_keys_current", "purpose", unique=True, sqlite_where=_IS_CURRENT, postgresql_where=_IS_CURRENT),
    )
