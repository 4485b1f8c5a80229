"""Pins: what federated servers say now that the owners of their connectors have not looked at yet."""

from hub.pins.advice import Advice, Sign, advice_on, same_reading
from hub.pins.breaking import breakage
from hub.pins.keeping import (
    PIN_WAITS,
    Looked,
    accept,
    changes,
    deciders,
    get_change,
    hold,
    hurry,
    looks,
    may_decide,
    note_look,
    propose,
    refuse,
    said,
    settle,
    take_looks,
    waiting_now,
)
from hub.pins.values import Change, Look, State

__all__ = [
    "PIN_WAITS",
    "Advice",
    "Change",
    "Look",
    "Looked",
    "Sign",
    "State",
    "accept",
    "advice_on",
    "breakage",
    "changes",
    "deciders",
    "get_change",
    "hold",
    "hurry",
    "looks",
    "may_decide",
    "note_look",
    "propose",
    "refuse",
    "said",
    "same_reading",
    "settle",
    "take_looks",
    "waiting_now",
]
