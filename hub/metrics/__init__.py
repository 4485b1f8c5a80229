"""Governance metrics: what is counted of calls, by which formulas, for whom to see, and to whom costs belong."""

from hub.metrics.answers import Answer, Line, answer
from hub.metrics.assignments import Assignment, Bearer
from hub.metrics.centres import (
    Centre,
    Change,
    NewCentre,
    Stretch,
    Wish,
    assign,
    assignments_to,
    centre,
    centres,
    change_centre,
    close_centre,
    open_centre,
)
from hub.metrics.definitions import MEANINGS, METRICS, Count, Metric
from hub.metrics.export import as_csv
from hub.metrics.heartbeats import BEAT_SECONDS, beat
from hub.metrics.measuring import Measured
from hub.metrics.naming import Written, understood
from hub.metrics.operating import Reading, readings
from hub.metrics.rollup import Rolled, recompute, roll_up
from hub.metrics.selection import UNASSIGNED, Allowed, By, Of, Selection, allow, allow_all, latest

__all__ = [
    "BEAT_SECONDS",
    "MEANINGS",
    "METRICS",
    "UNASSIGNED",
    "Allowed",
    "Answer",
    "Assignment",
    "Bearer",
    "By",
    "Centre",
    "Change",
    "Count",
    "Line",
    "Measured",
    "Metric",
    "NewCentre",
    "Of",
    "Reading",
    "Rolled",
    "Selection",
    "Stretch",
    "Wish",
    "Written",
    "allow",
    "allow_all",
    "answer",
    "as_csv",
    "assign",
    "assignments_to",
    "beat",
    "centre",
    "centres",
    "change_centre",
    "close_centre",
    "latest",
    "open_centre",
    "readings",
    "recompute",
    "roll_up",
    "understood",
]
