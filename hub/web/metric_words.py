"""Metrics in words: shares, times and costs as people read them, and how long their bars are."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from hub.core.money import minor_digits, money
from hub.metrics import MEANINGS, Line, Measured, Metric
from hub.metrics.definitions import PerCase, Quantile, Share, Total
from hub.web.views.metrics import Figure, MetricShown

_NO_DATA: Final = "no data"
_MINUTE: Final = 60
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (_MINUTE, "min"), (1, "s"))
_WHOLE: Final = 100


def shown(metric: Metric, measured: Iterable[Measured]) -> MetricShown:
    """Return one metric with its figures."""
    return MetricShown(
        title=metric.title,
        says=metric.says,
        formula=metric.formula,
        meanings=tuple((count.value, MEANINGS[count]) for count in metric.counts),
        records=metric.records,
        figures=tuple(figure(one) for one in measured),
    )


def of_metric(line: Line, metric: Metric) -> list[Measured]:
    """Return what a line has of one metric."""
    return [one for one in line.measured if one.metric is metric]


def figure(one: Measured, longest: Decimal | None = None) -> Figure:
    """Return a number in words; what is no share has a bar only beside others, of which `longest` is the most."""
    return Figure(value=_value(one), rests_on=_rests_on(one), bar=_bar(one, longest), is_few=one.rests_on_few)


def _value(one: Measured) -> str:
    if one.value is None:
        return _NO_DATA
    match one.metric.rule:
        case Share():
            return f"{one.value * _WHOLE:.1f} %"
        case Quantile():
            return duration(int(one.value))
        case _:
            return _cost(one.value, one.unit)


def _cost(value: Decimal, unit: str) -> str:
    if minor_digits(unit) is not None:
        return money(int(value.to_integral_value()), unit)
    return f"{value.normalize():f} {unit}"


def duration(seconds: int) -> str:
    """Return a length of time in its two largest units: "2 d 3 h", "5 min 30 s", "0 s"."""
    told = list[str]()
    for size, name in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or told or name == "s":
            told.append(f"{count} {name}")
    return " ".join(part for part in told[:2] if not (part.startswith("0 ") and len(told) > 1))


def _rests_on(one: Measured) -> str:
    match one.metric.rule:
        case Share():
            return f"{one.of:,} of {one.n:,}"
        case Quantile():
            return f"{one.n:,} decided"
        case PerCase():
            return f"{one.n:,} cases"
        case Total():
            return ""


def _bar(one: Measured, longest: Decimal | None) -> int | None:
    if one.value is None:
        return None
    if isinstance(one.metric.rule, Share):
        return int(one.value * _WHOLE)
    return int(one.value * _WHOLE / longest) if longest else None


def longest_by_unit(measured: Iterable[Measured]) -> dict[str, Decimal]:
    """Return the largest value for each unit: bars of one unit are not compared with those of another."""
    found = dict[str, Decimal]()
    for one in measured:
        if one.value is not None:
            found[one.unit] = max(found.get(one.unit, Decimal(0)), one.value)
    return found
