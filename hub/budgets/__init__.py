"""How much may be used and by whom: limits with counters, and the switches that stop new commits at once."""

from hub.budgets.brakes import Brakes
from hub.budgets.forgetting import forget_usage
from hub.budgets.naming import names_of
from hub.budgets.outages import (
    Outage,
    OutOfReach,
    found,
    note_answer,
    note_failure,
    outages_now,
    refuse_unavailable,
    take_looks,
)
from hub.budgets.owning import Own, Used, limitable, owned, owns_anything, used_by_all, used_now
from hub.budgets.places import Holder, forget_places, keep_place, leave_place, take_place
from hub.budgets.setting import NewLimit, change_limit, lift_limit, liftable, limits_now, set_limit
from hub.budgets.stopping import Stop, StopKind, lift_stop, set_stop, stops_for, stops_now
from hub.budgets.taking import check, give_back, keep_to_time, take
from hub.budgets.values import Demand, Limit, Measure, NoPlace, OverBudget, Per, RunOver

__all__ = [
    "Brakes",
    "Demand",
    "Holder",
    "Limit",
    "Measure",
    "NewLimit",
    "NoPlace",
    "OutOfReach",
    "Outage",
    "OverBudget",
    "Own",
    "Per",
    "RunOver",
    "Stop",
    "StopKind",
    "Used",
    "change_limit",
    "check",
    "forget_places",
    "forget_usage",
    "found",
    "give_back",
    "keep_place",
    "keep_to_time",
    "leave_place",
    "lift_limit",
    "lift_stop",
    "liftable",
    "limitable",
    "limits_now",
    "names_of",
    "note_answer",
    "note_failure",
    "outages_now",
    "owned",
    "owns_anything",
    "refuse_unavailable",
    "set_limit",
    "set_stop",
    "stops_for",
    "stops_now",
    "take",
    "take_looks",
    "take_place",
    "used_by_all",
    "used_now",
]
