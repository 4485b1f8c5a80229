"""How much of each limit is used now: by whatever has used most of it, in its window, in words that people use."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from hub.budgets import Demand, Limit, Measure, NewLimit, Per, limits_now, set_limit, take, used_by_all
from hub.budgets.tables import UsageRow
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
DAY = timedelta(days=1)


def limit(seconds: int) -> Limit:
    return Limit(id="lim_1", per=Per.RUN, subject="", measure=Measure.CALLS, unit="", amount=5, seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (86_400, "a day"),
        (604_800, "7 days"),
        (3_600, "an hour"),
        (7_200, "2 hours"),
        (60, "a minute"),
        (90, "90 seconds"),
        (1, "a second"),
    ],
    ids=str,
)
def test_a_window_is_told_in_the_largest_unit_that_it_is_made_of(seconds: int, words: str) -> None:
    assert limit(seconds).words == f"5 calls in {words} for one run"


@BOTH_ENGINES
async def test_of_each_limit_it_is_told_who_has_used_most_in_its_window(database: Database, keys: Keyring) -> None:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        for measure, seconds in ((Measure.CALLS, 86_400), (Measure.AT_ONCE, 0)):
            await set_limit(tx, NewLimit(per=Per.AGENT, measure=measure, amount=10, seconds=seconds), authority)
        for agent, calls in (("agt_a", 2), ("agt_b", 5), ("agt_c", 1)):
            asked = Demand(subjects={Per.AGENT: agent}, amounts={(Measure.CALLS, ""): calls})
            await take(tx, await limits_now(tx), asked)

    async with database.reading() as tx:
        found = {one.limit.measure: one for one in await used_by_all(tx)}
    most = found[Measure.CALLS]
    assert most.own is not None
    assert (most.own.name, most.amount) == ("agt_b", 5)
    assert (found[Measure.AT_ONCE].own, found[Measure.AT_ONCE].amount) == (None, 0)

    async with database.transaction() as tx:
        await tx.execute(update(UsageRow).values(began=UsageRow.began - int(DAY.total_seconds())))
        assert all(one.own is None for one in await used_by_all(tx))
