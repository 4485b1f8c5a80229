"""How much may be used and by whom: limits with counters, and the switches that stop new commits at once."""

from hub.budgets.brakes import Brakes
from hub.budgets.setting import NewLimit, lift_limit, limits_now, set_limit
from hub.budgets.stopping import Stop, StopKind, lift_stop, set_stop, stops_for, stops_now
from hub.budgets.taking import check, give_back, take
from hub.budgets.values import Demand, Limit, Measure, OverBudget, Per

__all__ = [
    "Brakes",
    "Demand",
    "Limit",
    "Measure",
    "NewLimit",
    "OverBudget",
    "Per",
    "Stop",
    "StopKind",
    "check",
    "give_back",
    "lift_limit",
    "lift_stop",
    "limits_now",
    "set_limit",
    "set_stop",
    "stops_for",
    "stops_now",
    "take",
]
