"""Tables of watches: who keeps the stream to a server open, and how often it has said that something has changed."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Moment


class UpstreamStreamRow(Base):
    """The lease on the stream to one connection's server: one process holds it until then, and renews it."""

    __tablename__ = "upstream_streams"

    connection_id: Mapped[str] = mapped_column(String(40), ForeignKey("connections.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40))
    held_until: Mapped[datetime] = mapped_column(Moment)


class ListWordRow(Base):
    """How often the server of a connection has said that one of its lists has changed, as far as clients are told."""

    __tablename__ = "list_words"

    connection_id: Mapped[str] = mapped_column(String(40), ForeignKey("connections.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    said: Mapped[int] = mapped_column(BigInteger)


class ResourceWatchRow(Base):
    """A resource that some client waits for news of, under the address that its own server gave it."""

    __tablename__ = "resource_watches"

    connection_id: Mapped[str] = mapped_column(String(40), ForeignKey("connections.id"), primary_key=True)
    uri_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    whose: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The principal that waits for it."""
    uri: Mapped[str] = mapped_column(Text)
    wanted_until: Mapped[datetime] = mapped_column(Moment)
    changed: Mapped[int] = mapped_column(BigInteger)
    """How often its server has said that it changed, or may have done so while nobody listened."""

    __table_args__ = (Index("ix_resource_watches_wanted", "wanted_until"),)
