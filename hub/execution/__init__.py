"""The only way to a connector."""

from hub.execution.confinement import confinement_here
from hub.execution.databases import describe
from hub.execution.executor import Executor
from hub.execution.outcomes import (
    INPUT_REQUIRED,
    Asks,
    CheckOutcome,
    Client,
    CommitOrder,
    CommitOutcome,
    Conflicted,
    Failed,
    Health,
    LookUpOutcome,
    Observed,
    ObserveOutcome,
    Passage,
    Passed,
    Permit,
    Previewed,
    PreviewOutcome,
    Ran,
    Reachable,
    ReadOutcome,
    Succeeded,
    Target,
    TranscriptEntry,
    Unknown,
    Unreachable,
    Violation,
)
from hub.execution.overhearing import Heard
from hub.execution.runs import NOT_RUN, News
from hub.execution.upstreams import judged_by, reach
from sandbox.line import NoAnswer
from sandbox.mcp.resuming import NotNow
from sandbox.mcp.standing import NotOffered
from sandbox.programs import Program
from sandbox.reach import Reach
from sandbox.upstream import AnswerLost, Around, Hear, Onward, Received

__all__ = [
    "INPUT_REQUIRED",
    "NOT_RUN",
    "AnswerLost",
    "Around",
    "Asks",
    "CheckOutcome",
    "Client",
    "CommitOrder",
    "CommitOutcome",
    "Conflicted",
    "Executor",
    "Failed",
    "Health",
    "Hear",
    "Heard",
    "LookUpOutcome",
    "News",
    "NoAnswer",
    "NotNow",
    "NotOffered",
    "ObserveOutcome",
    "Observed",
    "Onward",
    "Passage",
    "Passed",
    "Permit",
    "PreviewOutcome",
    "Previewed",
    "Program",
    "Ran",
    "Reach",
    "Reachable",
    "ReadOutcome",
    "Received",
    "Succeeded",
    "Target",
    "TranscriptEntry",
    "Unknown",
    "Unreachable",
    "Violation",
    "confinement_here",
    "describe",
    "judged_by",
    "reach",
]
