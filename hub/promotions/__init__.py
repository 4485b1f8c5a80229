"""Promotions: how a release comes from dev to staging to prod, through gates, and back by itself."""

from hub.promotions.forcing import Decision, may_decide, may_look, put_in_force, reject, revert
from hub.promotions.gates import missing
from hub.promotions.keeping import (
    Wish,
    ask,
    check,
    explain,
    get_promotion,
    in_force,
    may_ask,
    promotions,
    require_asker,
    withdraw,
)
from hub.promotions.lines import Tally, Timing, crossed
from hub.promotions.values import (
    Finding,
    Gate,
    Likeness,
    Line,
    Played,
    Promotion,
    Rehearsal,
    Rules,
    Stand,
    State,
    Terms,
)

__all__ = [
    "Decision",
    "Finding",
    "Gate",
    "Likeness",
    "Line",
    "Played",
    "Promotion",
    "Rehearsal",
    "Rules",
    "Stand",
    "State",
    "Tally",
    "Terms",
    "Timing",
    "Wish",
    "ask",
    "check",
    "crossed",
    "explain",
    "get_promotion",
    "in_force",
    "may_ask",
    "may_decide",
    "may_look",
    "missing",
    "promotions",
    "put_in_force",
    "reject",
    "require_asker",
    "revert",
    "withdraw",
]
