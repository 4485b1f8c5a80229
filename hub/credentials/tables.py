"""Table of upstream credentials, each encrypted as a whole."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class CredentialRow(Base):
    """The secret of one connection."""

    __tablename__ = "credentials"

    connection_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    changed_at: Mapped[datetime] = mapped_column(Moment)
