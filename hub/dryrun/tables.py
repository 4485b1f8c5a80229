"""Table of previews: what each revision of an invocation was predicted to do, and whether it came true."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage import Base, Json, Moment


class PreviewRow(Base):
    """The preview of one revision, its digest, how it was made and, after the commit, its verdict."""

    __tablename__ = "previews"

    invocation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    tool_id: Mapped[str] = mapped_column(String(40))
    digest: Mapped[str] = mapped_column(String(64))
    fidelity: Mapped[str] = mapped_column(String(12))
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    transcript: Mapped[list[Any]] = mapped_column(Json)
    sealed_exchanges: Mapped[bytes | None] = mapped_column(LargeBinary)
    """What passed between connector and system, encrypted; NULL where that was not kept, and after a time."""
    sandbox_level: Mapped[str] = mapped_column(String(64))
    latency_ms: Mapped[int] = mapped_column(Integer)
    observed_at: Mapped[datetime] = mapped_column(Moment)
    verdict: Mapped[str | None] = mapped_column(String(12))
    differences: Mapped[list[str]] = mapped_column(Json)
    committed: Mapped[dict[str, Any]] = mapped_column(Json)
    """The records that it names, as they were read back right after the commit."""

    __table_args__ = (Index("ix_previews_track_record", "tool_id", "observed_at"),)
