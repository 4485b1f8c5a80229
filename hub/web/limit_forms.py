"""What people type to set a limit: of what, how much as they write it, and within which window of time."""

import re
from collections.abc import Collection
from typing import Final, TypeVar

from hub.budgets import Limit, Measure, NewLimit, Per, StopKind
from hub.core.errors import InputError
from hub.core.money import minor_digits, minor_units
from hub.web.forms import Form

MEASURES: Final = {
    Measure.CALLS: "calls",
    Measure.WRITES: "writes",
    Measure.MONEY: "money",
    Measure.COST: "cost",
    Measure.AT_ONCE: "calls at the same time",
    Measure.TIME: "time from a run's first call on",
}

WordT = TypeVar("WordT", StopKind, Per, Measure)

_LENGTH: Final = re.compile(r"(?P<count>[0-9]{1,8}|an?)? ?(?P<unit>[a-z]+)?")
_SECONDS: Final = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("week", "weeks"), 7 * 86_400),
}


def limit_in(form: Form, *, per: Per, subject: str, told: Collection[str]) -> NewLimit:
    """Return the limit that a form describes, where tools tell their costs in the units `told`.

    Raises:
        InputError: it describes none.
    """
    measure = one_of(Measure, form.one("measure"))
    unit = _unit(form.one("unit").strip(), measure, told)
    return NewLimit(
        per=per,
        subject=subject,
        measure=measure,
        unit=unit,
        amount=amount_in(form.one("amount"), measure, unit),
        seconds=_seconds(form.one("window")) if form.one("window").strip() else 0,
    )


def _unit(typed: str, measure: Measure, told: Collection[str]) -> str:
    """Return the unit that is meant: money is counted by its currency's code, and "eur" would limit none.

    Costs have units of their own too, and one may be spelled as a currency is, such as `all` and ALL.

    Raises:
        InputError: nobody knows which of the two is meant.
    """
    code = typed.upper()
    if measure is Measure.COST:
        if found := next((one for one in (typed, code, typed.lower()) if one in told), None):
            return found
        if typed != code and minor_digits(code) is not None:
            raise InputError(f"No tool tells its cost in {typed} or in {code}. If you mean the currency, write {code}.")
    return typed if minor_digits(code) is None else code


def amount_in(typed: str, measure: Measure, unit: str) -> int:
    """Return how much somebody typed: money in its currency's own figures, time with its unit, the rest whole.

    Raises:
        InputError: it is nothing of the kind.
    """
    if measure is Measure.TIME:
        return _seconds(typed)
    if measure.has_unit and not unit:
        raise InputError("Money and cost have a unit, such as EUR.")
    if measure is Measure.MONEY or (measure is Measure.COST and minor_digits(unit) is not None):
        return minor_units(typed, unit)
    if not re.fullmatch("[0-9]{1,16}", typed.strip()):
        raise InputError("Amounts are whole numbers; money alone has decimals.")
    return int(typed)


def amount_typed(limit: Limit) -> str:
    """Return the amount of a limit as it would be typed."""
    digits = minor_digits(limit.unit) if limit.measure.has_unit else None
    if not digits:
        return str(limit.amount)
    return f"{limit.amount // 10**digits}.{limit.amount % 10**digits:0{digits}}"


def one_of(kind: type[WordT], chosen: str) -> WordT:
    """Return the word that a form names.

    Raises:
        InputError: it offers no such word.
    """
    try:
        return kind(chosen)
    except ValueError as error:
        raise InputError("Choose one of what the form offers.") from error


def _seconds(typed: str) -> int:
    said = _LENGTH.fullmatch(typed.strip().lower())
    unit = _SECONDS.get(said["unit"] or "") if said else None
    if said is None or unit is None or not (said["count"] or said["unit"]):
        raise InputError("A length of time is a number and its unit: 30 minutes, 1 hour, 7 days.")
    return unit * (int(said["count"]) if (said["count"] or "a").isdecimal() else 1)
