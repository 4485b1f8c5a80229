"""Adding up: stored days in the database, today's live counts in memory, both by the same filters."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, distinct, func, literal, select

from hub.metrics.definitions import Count
from hub.metrics.lookups import parts_of
from hub.metrics.measuring import Sums
from hub.metrics.selection import UNASSIGNED, Allowed, By, Of, Selection
from hub.metrics.tables import CountedRow
from hub.metrics.values import GROUP, PERSON, Entry, Place, Tally
from hub.storage import Tx

_COLUMNS: Final = {
    By.DAY: CountedRow.day,
    By.ENVIRONMENT: CountedRow.environment,
    By.AGENT: CountedRow.agent_id,
    By.TOOL: CountedRow.tool_id,
    By.GROUP: CountedRow.decider,
    By.APPROVER: CountedRow.decider,
    By.COST_CENTRE: CountedRow.centre_id,
}
_FILTERED: Final = {
    "environment": CountedRow.environment,
    "agent_id": CountedRow.agent_id,
    "tool_id": CountedRow.tool_id,
    "centre_id": CountedRow.centre_id,
}
_PREFIXES: Final = {By.GROUP: GROUP, By.APPROVER: PERSON}
"""By whom calls are told apart, and how those are found among the deciders."""

SumsOf = defaultdict[str, Sums]
"""Sums by what they are told apart by; by nothing, all of them are under ""."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """From a day until just before another."""

    first: date
    end: date


async def add_stored(tx: Tx, allowed: Allowed, days: Days, live: Tally) -> SumsOf:
    """Return the sums of the stored `days` and of what was counted live; a case that is in both counts once."""
    sums = SumsOf(Sums)
    row, key = CountedRow, _key(allowed)
    cases = {Count.CASE.value, Count.CASE_COST.value}
    plain = _of(allowed, days, key, row.count, row.unit, row.seconds, func.sum(row.n))
    plain = plain.where(row.count.not_in(cases)).group_by(*_grouped(allowed), row.count, row.unit, row.seconds)
    for found, count, unit, seconds, n in await tx.execute(plain):
        _add(sums[_told(allowed, found)], Entry(count=Count(count), unit=unit, seconds=seconds), int(n))
    costs = _of(allowed, days, key, row.unit, func.sum(row.n)).where(row.count == Count.CASE_COST.value)
    for found, unit, n in await tx.execute(costs.group_by(*_grouped(allowed), row.unit)):
        sums[_told(allowed, found)].case_costs[unit] += int(n)
    named = _of(allowed, days, key, func.count(distinct(row.case_key))).where(row.count == Count.CASE.value)
    for found, cases_found in await tx.execute(named.group_by(*_grouped(allowed))):
        sums[_told(allowed, found)].cases += int(cases_found)
    await _add_live(tx, allowed, days, live, sums)
    return sums


async def _add_live(tx: Tx, allowed: Allowed, days: Days, live: Tally, sums: SumsOf) -> None:
    fresh = defaultdict[str, set[str]](set)
    for (place, entry), n in live.items():
        if not _includes(allowed, place):
            continue
        told = _told(allowed, _part(allowed, place))
        if entry.count is Count.CASE:
            fresh[told].add(entry.case_key)
        else:
            _add(sums[told], entry, n)
    stored = await _stored_cases(tx, allowed, days, {case for some in fresh.values() for case in some})
    for told, cases in fresh.items():
        sums[told].cases += len(cases - stored.get(told, set()))


async def _stored_cases(tx: Tx, allowed: Allowed, days: Days, cases: set[str]) -> Mapping[str, set[str]]:
    row, found = CountedRow, defaultdict[str, set[str]](set)
    for some in parts_of(sorted(cases)):
        query = _of(allowed, days, _key(allowed), row.case_key).where(
            row.count == Count.CASE.value, row.case_key.in_(some)
        )
        for key, case_key in await tx.execute(query.distinct()):
            found[_told(allowed, key)].add(case_key)
    return found


async def voters_of(tx: Tx, allowed: Allowed, days: Days, live: Tally) -> Mapping[str, int]:
    """Return how many people voted on the calls of each line, for owners of tools; of a group that is not known."""
    found = defaultdict[str, set[str]](set)
    if allowed.of is not Of.TOOLS or allowed.decider or allowed.wanted.by in _PREFIXES:
        return {}
    each = replace(allowed, wanted=replace(allowed.wanted, by=By.APPROVER))
    query = _of(each, days, _key(allowed), CountedRow.decider).where(CountedRow.count == Count.VOTES.value)
    for key, person in await tx.execute(query.distinct()):
        found[_told(allowed, key)].add(person)
    for place, entry in live:
        if entry.count is Count.VOTES and _includes(each, place):
            found[_told(allowed, _part(allowed, place))].add(place.decider)
    return {key: len(people) for key, people in found.items()}


def _add(sums: Sums, entry: Entry, n: int) -> None:
    match entry.count:
        case Count.WAIT:
            sums.waits[entry.seconds] += n
        case Count.COST:
            sums.costs[entry.unit] += n
        case Count.CASE_COST:
            sums.case_costs[entry.unit] += n
        case _:
            sums.counts[entry.count] += n


def _key(allowed: Allowed) -> Any:  # noqa: ANN401  # a column, or a constant
    return _COLUMNS.get(allowed.wanted.by, literal(""))


def _grouped(allowed: Allowed) -> list[Any]:
    column = _COLUMNS.get(allowed.wanted.by)
    return [] if column is None else [column]


def _told(allowed: Allowed, key: object) -> str:
    """Return what a key is called outside: a day in ISO form, a group or a person without its mark."""
    text = key.isoformat() if isinstance(key, date) else str(key)
    return text.removeprefix(_PREFIXES.get(allowed.wanted.by, ""))


def _part(allowed: Allowed, place: Place) -> object:
    column = _COLUMNS.get(allowed.wanted.by)
    return "" if column is None else getattr(place, column.key)


def _of(allowed: Allowed, days: Days, *columns: Any) -> Select[*tuple[Any, ...]]:  # noqa: ANN401  # columns
    """Return the query for columns of the stored counts that may be seen and are wanted."""
    row = CountedRow
    query = select(*columns).where(row.day >= days.first, row.day < days.end, _decided(allowed))
    for name, value in _equals(allowed.wanted).items():
        query = query.where(_FILTERED[name] == value)
    return query.where(row.tool_id.in_(sorted(allowed.tool_ids))) if allowed.of is Of.TOOLS else query


def _equals(wanted: Selection) -> dict[str, str]:
    """Return which dimensions must have which values."""
    centre = "" if wanted.centre_id == UNASSIGNED else wanted.centre_id
    asked = {
        "environment": wanted.environment,
        "agent_id": wanted.agent_id,
        "tool_id": wanted.tool_id,
        "centre_id": centre,
    }
    return {name: value for name, value in asked.items() if value is not None}


def _decided(allowed: Allowed) -> ColumnElement[bool]:
    prefix = _PREFIXES.get(allowed.wanted.by)
    if prefix is not None and not allowed.decider:
        return CountedRow.decider.startswith(prefix, autoescape=True)
    return CountedRow.decider == allowed.decider


def _includes(allowed: Allowed, place: Place) -> bool:
    """Return whether what was counted live is wanted and may be seen: the same filters as those of the database."""
    prefix = _PREFIXES.get(allowed.wanted.by)
    if prefix is not None and not allowed.decider:
        is_decided = place.decider.startswith(prefix)
    else:
        is_decided = place.decider == allowed.decider
    is_own = allowed.of is not Of.TOOLS or place.tool_id in allowed.tool_ids
    in_days = allowed.wanted.first <= place.day <= allowed.wanted.last
    return is_decided and is_own and in_days and _has_wanted(allowed, place)


def _has_wanted(allowed: Allowed, place: Place) -> bool:
    return all(getattr(place, name) == value for name, value in _equals(allowed.wanted).items())
