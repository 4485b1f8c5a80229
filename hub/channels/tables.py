"""Tables of channels: which webhooks are disabled, what was said in Slack, and which of its requests were seen."""

from datetime import datetime

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class DisabledWebhookRow(Base):
    """A webhook whose endpoint said that it is gone; it is told nothing until an administrator has looked."""

    __tablename__ = "channel_disabled_webhooks"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    disabled_at: Mapped[datetime] = mapped_column(Moment)


class SlackRequestRow(Base):
    """A request from Slack that was admitted, by the digest of its signature, until it is too old to come again."""

    __tablename__ = "channel_slack_requests"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    until: Mapped[datetime] = mapped_column(Moment, index=True)


class SlackMessageRow(Base):
    """A message in Slack, to one person; one about a question is brought up to date until the question is over."""

    __tablename__ = "channel_slack_messages"
    __table_args__ = (UniqueConstraint("notice_id", "principal_id"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    notice_id: Mapped[str] = mapped_column(String(40))
    invocation_id: Mapped[str] = mapped_column(String(40), index=True)
    """What it is about: an invocation, or a promotion."""
    approval_digest: Mapped[str] = mapped_column(String(64))
    principal_id: Mapped[str] = mapped_column(String(40))
    conversation: Mapped[str] = mapped_column(String(64))
    timestamp: Mapped[str] = mapped_column(String(40))
    """What Slack calls `ts`: the message's name within its conversation; empty until Slack is known to have it."""
    is_over: Mapped[bool]
    posted_at: Mapped[datetime] = mapped_column(Moment)
