"""Adding up, whatever was called: from stored days, from live ones, from both, by every filter, the same numbers."""

import random
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert

from hub.approvals.length import words_in
from hub.invocations.states import State
from hub.metrics.definitions import METRICS, Count
from hub.metrics.facts import CallFacts, entries_of, reading_time
from hub.metrics.measuring import Sums, measure, quantile
from hub.metrics.rollup import stored_values
from hub.metrics.selection import Allowed, By, Of, Selection
from hub.metrics.sums import Days, add_stored
from hub.metrics.tables import CountedRow
from hub.metrics.values import Entry, Place, Tally, group_decider, person_decider, window_of
from hub.storage import Database
from metrics.books import BOTH_ENGINES

pytestmark = pytest.mark.anyio

FIRST = date(2026, 11, 1)
WAITS = st.lists(st.integers(0, 10**6), min_size=1, max_size=60)


@given(WAITS, st.sampled_from([50, 90]))
def test_a_quantile_is_the_smallest_wait_within_which_so_many_were_over(waits: list[int], per_cent: int) -> None:
    found = quantile(Counter(waits), per_cent)

    assert found in waits
    assert sum(wait <= found for wait in waits) * 100 >= per_cent * len(waits)
    assert all(
        sum(wait <= shorter for wait in waits) * 100 < per_cent * len(waits) for shorter in waits if shorter < found
    )


def test_nothing_has_no_quantile() -> None:
    assert quantile(Counter(), 50) is None
    assert quantile(Counter({7: 0}), 50) is None


def test_a_share_of_nothing_is_no_data() -> None:
    assert {one.value for one in measure(Sums())} == {None}
    some = measure(Sums(counts=Counter({Count.SETTLED: 3, Count.DECIDED: 1})))
    assert some[0].value == Decimal("0.3333")


def test_every_metric_says_what_its_formula_is_made_of() -> None:
    for metric in METRICS:
        assert metric.says
        assert metric.records
        for count in metric.counts:
            assert count.value in metric.formula or count is Count.WAIT or count is Count.CASE
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@given(st.lists(st.integers(-(10**11), 2 * 10**11), max_size=6))
def test_a_window_is_cut_without_a_gap(microseconds: list[int]) -> None:
    whole = window_of(date(2026, 11, 21))
    parts = whole.split([whole.begins + timedelta(microseconds=one) for one in microseconds])

    assert (parts[0].begins, parts[-1].ends) == (whole.begins, whole.ends)
    assert all(one.begins < one.ends for one in parts)
    assert [one.ends for one in parts[:-1]] == [one.begins for one in parts[1:]]


def test_words_are_those_that_are_shown() -> None:
    summary = {
        "title": "Change an item",
        "tier": "high",
        "changes": [{"target": "items/1", "fields": {"quantity": {"before": 1, "after": None}}}],
    }

    assert words_in(summary) == 3 + 1 + 1 + 1 + 1
    assert reading_time(150) == timedelta(seconds=30)


@pytest.mark.parametrize("state", list(State))
def test_a_call_is_accurate_only_if_it_is_counted(state: State) -> None:
    for is_read in (True, False):
        found = Counter(
            entry.count for _, entry, _ in entries_of(CallFacts(state=state, is_read=is_read, by_agent=True))
        )

        assert found[Count.ACCURATE] <= found[Count.CALLS] <= 1
        assert found[Count.DIVERGED] <= found[Count.COMPARED] <= 1
        assert found[Count.UNDONE] <= found[Count.COMMITTED] <= 1


def whatever(seed: int) -> Tally:
    """Return counts of twelve days, of several agents, tools and deciders, the same for the same seed."""
    chance, tally = random.Random(seed), Tally()  # noqa: S311  # an example, no secret
    for _ in range(400):
        place = Place(
            day=FIRST + timedelta(days=chance.randrange(12)),
            agent_id=f"agt_{chance.randrange(3)}",
            environment=chance.choice(["dev", "prod"]),
            tool_id=f"tool_{chance.randrange(4)}",
            centre_id=chance.choice(["", "cc_1"]),
            decider=chance.choice(["", "", group_decider("a%"), group_decider("ab"), person_decider("usr_1")]),
        )
        count = chance.choice(list(Count))
        entry = Entry(
            count=count,
            unit=chance.choice(["EUR", "credits"]) if count in {Count.COST, Count.CASE_COST} else "",
            case_key=f"case{chance.randrange(6)}" if count in {Count.CASE, Count.CASE_COST} else "",
            seconds=chance.randrange(5) if count is Count.WAIT else 0,
        )
        tally[place, entry] += chance.randrange(1, 4)
    return tally


def by_hand(tally: Tally, allowed: Allowed) -> dict[str, Sums]:
    """Return the sums, added up one after the other."""
    wanted, found, cases = allowed.wanted, dict[str, Sums](), dict[str, set[str]]()
    prefix = {By.GROUP: "group:", By.APPROVER: "person:"}.get(wanted.by)
    for (place, entry), n in tally.items():
        keys = {
            By.DAY: place.day.isoformat(),
            By.AGENT: place.agent_id,
            By.TOOL: place.tool_id,
            By.ENVIRONMENT: place.environment,
            By.COST_CENTRE: place.centre_id,
            By.GROUP: place.decider.removeprefix("group:"),
            By.APPROVER: place.decider.removeprefix("person:"),
        }
        is_meant = place.decider.startswith(prefix) if prefix else place.decider == allowed.decider
        is_meant &= wanted.first <= place.day <= wanted.last
        is_meant &= wanted.agent_id in {None, place.agent_id}
        is_meant &= wanted.environment in {None, place.environment}
        is_meant &= wanted.centre_id is None or wanted.centre_id.replace("unassigned", "") == place.centre_id
        is_meant &= allowed.of is not Of.TOOLS or place.tool_id in allowed.tool_ids
        if not is_meant:
            continue
        key = keys.get(wanted.by, "")
        sums = found.setdefault(key, Sums())
        match entry.count:
            case Count.WAIT:
                sums.waits[entry.seconds] += n
            case Count.COST:
                sums.costs[entry.unit] += n
            case Count.CASE_COST:
                sums.case_costs[entry.unit] += n
            case Count.CASE:
                cases.setdefault(key, set()).add(entry.case_key)
                sums.cases = len(cases[key])
            case count:
                sums.counts[count] += n
    return found


CHOICES = [
    *(Allowed(wanted=Selection(first=FIRST, last=FIRST + timedelta(days=11), by=by), of=Of.ALL) for by in By),
    Allowed(wanted=Selection(first=FIRST + timedelta(days=2), last=FIRST + timedelta(days=9), by=By.DAY), of=Of.ALL),
    Allowed(
        wanted=Selection(first=FIRST, last=FIRST + timedelta(days=11), agent_id="agt_1", environment="prod"),
        of=Of.TOOLS,
        tool_ids=frozenset({"tool_1", "tool_3"}),
    ),
    Allowed(
        wanted=Selection(first=FIRST, last=FIRST + timedelta(days=11), centre_id="unassigned", by=By.TOOL),
        of=Of.ALL,
        decider=group_decider("a%"),
    ),
    Allowed(
        wanted=Selection(first=FIRST, last=FIRST + timedelta(days=11), by=By.COST_CENTRE),
        of=Of.DECISIONS,
        decider=person_decider("usr_1"),
    ),
]


@BOTH_ENGINES
@pytest.mark.parametrize("seed", [1, 2])
async def test_stored_and_live_days_add_up_to_what_was_counted(database: Database, seed: int) -> None:
    everything = whatever(seed)
    for stored_days in (12, 7, 0):
        end = FIRST + timedelta(days=stored_days)
        async with database.transaction() as tx:
            stored = Tally({key: n for key, n in everything.items() if key[0].day < end})
            await tx.execute(delete(CountedRow))
            for values in stored_values(stored):
                await tx.execute(insert(CountedRow), [values])
        live = Tally({key: n for key, n in everything.items() if key[0].day >= end})
        for allowed in CHOICES:
            days = Days(first=allowed.wanted.first, end=min(end, allowed.wanted.last + timedelta(days=1)))
            async with database.reading() as tx:
                found = await add_stored(tx, allowed, days, live)

            assert dict(found) == by_hand(everything, allowed), (stored_days, allowed)
