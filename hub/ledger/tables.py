"""Table of requests that came with a key: what they asked, whether somebody is at it, and the answer."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class KeyedRequestRow(Base):
    """One request by the digest of its principal and key; without an answer it is under way, or was interrupted."""

    __tablename__ = "keyed_requests"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    payload: Mapped[str] = mapped_column(String(64))
    """What tells another request under the same key: authenticated, so that nobody can try out what it was."""
    attempt: Mapped[str] = mapped_column(String(40))
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Encrypted, and without secrets."""
    about: Mapped[str | None] = mapped_column(String(40), index=True)
    """The invocation that the answer tells of: its values go when those of the invocation go."""
    lease_until: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
