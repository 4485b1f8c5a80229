"""What was counted long ago is forgotten, however agents name their runs; what still counts is not."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hub.budgets import (
    Demand,
    Holder,
    Limit,
    Measure,
    NewLimit,
    NoPlace,
    OverBudget,
    Per,
    RunOver,
    forget_usage,
    give_back,
    keep_to_time,
    leave_place,
    lift_limit,
    limits_now,
    set_limit,
    take,
    take_place,
)
from hub.budgets.forgetting import RUNS_KEPT
from hub.budgets.tables import LimitRow, TakenRow, UsageRow
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.storage import Database, now

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True),
]

HOUR = 3600
DAY = 24 * HOUR


async def limited(database: Database, keys: Keyring, measure: Measure, *, amount: int = 10) -> Limit:
    seconds = HOUR if measure.has_window else 0
    new = NewLimit(per=Per.RUN, measure=measure, amount=amount, seconds=seconds)
    async with database.transaction() as tx:
        return await set_limit(tx, new, Authority(database=database, keys=keys))


def of_run(run: str, measure: Measure) -> Demand:
    return Demand(subjects={Per.RUN: run}, amounts={(measure, ""): 1})


async def forgotten(database: Database) -> list[str]:
    """Forget, and return the runs of which something is counted still."""
    async with database.transaction() as tx:
        await forget_usage(tx)
    async with database.reading() as tx:
        return sorted(await tx.scalars(select(UsageRow.subject)))


async def earlier(database: Database, seconds: int, run: str) -> None:
    """Let what was counted of a run have been counted so long before."""
    async with database.transaction() as tx:
        for row in (UsageRow, TakenRow):
            its = (row.subject == run, row.began > 0)
            await tx.execute(update(row).where(*its).values(began=row.began - seconds))
        begun = (UsageRow.subject == run, UsageRow.began == 0)
        await tx.execute(update(UsageRow).where(*begun).values(used=UsageRow.used - seconds))


async def test_windows_that_are_long_over_are_forgotten(database: Database, keys: Keyring) -> None:
    await limited(database, keys, Measure.WRITES)
    for run in ("old", "over", "now"):
        async with database.transaction() as tx:
            await take(tx, await limits_now(tx), of_run(run, Measure.WRITES), invocation_id=f"inv_{run}")
    await earlier(database, DAY + 2 * HOUR, "old")
    await earlier(database, 2 * HOUR, "over")

    assert await forgotten(database) == ["now", "over"]

    async with database.transaction() as tx:
        await give_back(tx, "inv_old")  # nothing is left to give back
        assert sorted(await tx.scalars(select(TakenRow.invocation_id))) == ["inv_now", "inv_over"]


async def test_a_run_is_known_to_have_had_its_time_for_long(database: Database, keys: Keyring) -> None:
    limit = await limited(database, keys, Measure.TIME, amount=HOUR)
    for run, seconds in (("older", int(RUNS_KEPT.total_seconds()) + HOUR + 60), ("old", DAY), ("now", 0)):
        async with database.transaction() as tx:
            await keep_to_time(tx, [limit], of_run(run, Measure.TIME))
        await earlier(database, seconds, run)

    assert await forgotten(database) == ["now", "old"]

    async with database.transaction() as tx:
        with pytest.raises(RunOver):
            await keep_to_time(tx, [limit], of_run("old", Measure.TIME))
        await keep_to_time(tx, [limit], of_run("older", Measure.TIME))


async def test_calls_at_once_are_counted_while_there_are_any(database: Database, keys: Keyring) -> None:
    limit = await limited(database, keys, Measure.AT_ONCE, amount=1)
    for run in ("under way", "over"):
        async with database.transaction() as tx:
            await take_place(tx, [limit], of_run(run, Measure.AT_ONCE), Holder(id=f"inv_{run}", seconds=60))
    async with database.transaction() as tx:
        await leave_place(tx, "inv_over")

    assert await forgotten(database) == ["under way"]

    async with database.transaction() as tx:
        with pytest.raises(NoPlace):
            await take_place(tx, [limit], of_run("under way", Measure.AT_ONCE), Holder(id="inv_2", seconds=60))


async def test_what_counted_under_a_limit_that_was_lifted_goes_with_it(database: Database, keys: Keyring) -> None:
    limit = await limited(database, keys, Measure.WRITES, amount=1)
    async with database.transaction() as tx:
        await take(tx, [limit], of_run("run", Measure.WRITES))
        with pytest.raises(OverBudget):
            await take(tx, [limit], of_run("run", Measure.WRITES))
    async with database.transaction() as tx:
        await lift_limit(tx, limit.id, Authority(database=database, keys=keys))
    assert await forgotten(database) == ["run"]
    async with database.transaction() as tx:
        await tx.execute(update(LimitRow).values(lifted_at=await now(tx) - timedelta(days=2)))

    assert await forgotten(database) == []
