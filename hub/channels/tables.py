"""Tables of channels: which webhooks are disabled."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class DisabledWebhookRow(Base):
    """A webhook whose endpoint said that it is gone; it is told nothing until an administrator has looked."""

    __tablename__ = "channel_disabled_webhooks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    disabled_at: Mapped[datetime] = mapped_column(Moment)
