"""Previews: ask for them, compare them, keep their record."""

from hub.dryrun.agreeing import agrees
from hub.dryrun.compare import ThreeWay, drift, judge, moved_since, named_in, would_change_the_same
from hub.dryrun.plans import PlannedStep, PlanPreview, contract_preview
from hub.dryrun.records import (
    PreviewRecord,
    ReadBack,
    Records,
    TrackRecord,
    Verdict,
    exchanges_of,
    keep,
    latest,
    of_revision,
    preview_digest,
    put_exchanges,
    put_read_back,
    track_record,
)

__all__ = [
    "PlanPreview",
    "PlannedStep",
    "PreviewRecord",
    "ReadBack",
    "Records",
    "ThreeWay",
    "TrackRecord",
    "Verdict",
    "agrees",
    "contract_preview",
    "drift",
    "exchanges_of",
    "judge",
    "keep",
    "latest",
    "moved_since",
    "named_in",
    "of_revision",
    "preview_digest",
    "put_exchanges",
    "put_read_back",
    "track_record",
    "would_change_the_same",
]
