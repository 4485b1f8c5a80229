"""The only way to a connector."""

from hub.execution.confinement import confinement_here
from hub.execution.executor import Executor
from hub.execution.outcomes import (
    CommitOrder,
    CommitOutcome,
    Conflicted,
    Failed,
    LookUpOutcome,
    Observed,
    ObserveOutcome,
    Passage,
    Permit,
    Previewed,
    PreviewOutcome,
    Ran,
    ReadOutcome,
    Succeeded,
    Target,
    TranscriptEntry,
    Unknown,
    Violation,
)

__all__ = [
    "CommitOrder",
    "CommitOutcome",
    "Conflicted",
    "Executor",
    "Failed",
    "LookUpOutcome",
    "ObserveOutcome",
    "Observed",
    "Passage",
    "Permit",
    "PreviewOutcome",
    "Previewed",
    "Ran",
    "ReadOutcome",
    "Succeeded",
    "Target",
    "TranscriptEntry",
    "Unknown",
    "Violation",
    "confinement_here",
]
