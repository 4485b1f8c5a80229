"""How much of a limit is used, in people's words."""

from hub.budgets import Used

ALL = 100
"""The share that is everything."""


def used_words(one: Used) -> str:
    """Return how much of a limit is used; of a limit of each, by what has used most."""
    if one.own is None:
        return "nothing yet"
    told = f"{one.limit.figure(one.amount)} of {one.limit.figure(one.limit.amount)}"
    return told if one.limit.subject else f"{told}, most by {one.own.name}"


def share_used(one: Used) -> int:
    """Return how much of a limit is used in hundredths, at most 100."""
    return ALL if one.amount >= one.limit.amount else one.amount * ALL // one.limit.amount
