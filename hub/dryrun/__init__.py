"""Previews: ask for them, compare them, keep their record."""

from hub.dryrun.compare import Records, drift, judge
from hub.dryrun.records import (
    PreviewRecord,
    TrackRecord,
    Verdict,
    keep,
    latest,
    of_revision,
    preview_digest,
    put_verdict,
    track_record,
)

__all__ = [
    "PreviewRecord",
    "Records",
    "TrackRecord",
    "Verdict",
    "drift",
    "judge",
    "keep",
    "latest",
    "of_revision",
    "preview_digest",
    "put_verdict",
    "track_record",
]
