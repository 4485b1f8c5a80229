"""How much of a limit is used, in people's words."""

from hub.budgets import Limit, Measure, Used
from hub.web.money import money

ALL = 100
"""The share that is everything."""


def used_words(one: Used) -> str:
    """Return how much of a limit is used; of a limit of each, by what has used most."""
    if one.own is None:
        return "nothing yet"
    told = f"{_amount(one.limit, one.amount)} of {_amount(one.limit, one.limit.amount)}"
    return told if one.limit.subject else f"{told}, most by {one.own.name}"


def share_used(one: Used) -> int:
    """Return how much of a limit is used in hundredths, at most 100."""
    return ALL if one.amount >= one.limit.amount else one.amount * ALL // one.limit.amount


def _amount(limit: Limit, amount: int) -> str:
    if limit.measure is Measure.MONEY:
        return money(amount, limit.unit)
    return f"{amount:,} {limit.unit}".strip()
