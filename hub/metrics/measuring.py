"""From counts to metrics, pure: sums of days become shares, times and costs, each with what it rests on."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from hub.metrics.definitions import FEW, METRICS, Count, Metric, PerCase, Quantile, Share, Total

_PLACES: Final = Decimal("0.0001")
_CENT: Final = Decimal("0.01")


@dataclass(slots=True)
class Sums:
    """Counts that have been added up; cases are kept apart by their keys as long as they may come twice."""

    counts: Counter[Count] = field(default_factory=Counter[Count])
    waits: Counter[int] = field(default_factory=Counter[int])
    costs: Counter[str] = field(default_factory=Counter[str])
    case_costs: Counter[str] = field(default_factory=Counter[str])
    cases: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One metric of some calls. `value` is None where there is nothing to compute it from: no data is not nought."""

    metric: Metric
    value: Decimal | None
    n: int
    """What it rests on: how many there were to be so, decisions, or cases; of cost the calls are not counted."""
    of: int | None = None
    """Of a share: how many were so."""
    unit: str = ""
    """Of a cost: what it is told in."""

    @property
    def rests_on_few(self) -> bool:
        """Whether it rests on so few that it says little."""
        return self.value is not None and not isinstance(self.metric.rule, Total) and self.n < FEW


def measure(sums: Sums) -> list[Measured]:
    """Return every metric of these counts; a cost once for each unit."""
    return [one for metric in METRICS for one in _measured(metric, sums)]


def _measured(metric: Metric, sums: Sums) -> Iterator[Measured]:
    match metric.rule:
        case Share(of=of, among=among):
            yield _share(metric, sums.counts[of], sums.counts[among])
        case Quantile(per_cent=per_cent):
            seconds = quantile(sums.waits, per_cent)
            yield Measured(metric=metric, value=None if seconds is None else Decimal(seconds), n=sums.waits.total())
        case Total():
            yield from _costs(metric, sums.costs, 0)
        case PerCase():
            yield from _costs(metric, sums.case_costs, sums.cases)


def _share(metric: Metric, of: int, among: int) -> Measured:
    value = (Decimal(of) / among).quantize(_PLACES) if among else None
    return Measured(metric=metric, value=value, n=among, of=of)


def quantile(waits: Counter[int], per_cent: int) -> int | None:
    """Return the smallest time within which `per_cent` of the waits were over; None without any.

    Source: the nearest-rank method; the result is always a time that somebody really took.
    """
    reached, needed = 0, -(-waits.total() * per_cent // 100)
    for seconds in sorted(waits):
        reached += waits[seconds]
        if reached >= needed and waits[seconds]:
            return seconds
    return None


def _costs(metric: Metric, costs: Counter[str], cases: int) -> Iterator[Measured]:
    """Yield one for each unit; units are never summed. Where nothing cost anything there is no data."""
    per_case = isinstance(metric.rule, PerCase)
    for unit in sorted(costs):
        value = (Decimal(costs[unit]) / cases).quantize(_CENT) if per_case else Decimal(costs[unit])
        yield Measured(metric=metric, value=value, n=cases, unit=unit)
    if not costs:
        yield Measured(metric=metric, value=None, n=cases)
