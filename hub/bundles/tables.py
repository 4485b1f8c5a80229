"""Table of policy bundles: every text that decided something or waits to, by digest, and which one decides now."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class BundleRow(Base):
    """One bundle as proposed or published in one environment; its text never changes."""

    __tablename__ = "policy_bundles"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    environment: Mapped[str] = mapped_column(String(16))
    digest: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    is_active: Mapped[bool]
    proposed_by: Mapped[str | None] = mapped_column(String(40))
    proposed_at: Mapped[datetime | None] = mapped_column(Moment)
    proposed_on: Mapped[str | None] = mapped_column(String(64))
    """The digest of the bundle that decided when this one was proposed: what its proposer meant to replace."""
    published_by: Mapped[str | None] = mapped_column(String(40))
    published_at: Mapped[datetime | None] = mapped_column(Moment)
    """None: it waits for a second person, and has decided nothing yet."""

    __table_args__ = (
        Index("ix_policy_bundles_active", "environment", "is_active"),
        Index("ix_policy_bundles_digest", "digest"),
    )
