"""Limits: exact however many take at once, within their windows, once for each write, and given back when unused."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from hub.audit.tables import EventRow
from hub.budgets import (
    Brakes,
    Demand,
    Limit,
    Measure,
    NewLimit,
    OverBudget,
    Per,
    give_back,
    lift_limit,
    limits_now,
    set_limit,
    take,
)
from hub.budgets.tables import TakenRow, UsageRow
from hub.core.errors import InputError, NotFound
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
DAY = 24 * 3600


def demand(amount: int = 1, *, agent: str = "agt_a", unit: str = "") -> Demand:
    measure = Measure.MONEY if unit else Measure.WRITES
    return Demand(subjects={Per.AGENT: agent}, amounts={(measure, unit): amount})


async def limited(database: Database, keys: Keyring, amount: int, *, unit: str = "") -> Limit:
    measure = Measure.MONEY if unit else Measure.WRITES
    new = NewLimit(per=Per.AGENT, measure=measure, amount=amount, seconds=DAY, unit=unit)
    async with database.transaction() as tx:
        return await set_limit(tx, new, Authority(database=database, keys=keys))


async def taken(database: Database, asked: Demand, *, invocation_id: str | None = None) -> bool:
    try:
        async with database.transaction() as tx:
            await take(tx, await limits_now(tx), asked, invocation_id=invocation_id)
    except OverBudget:
        return False
    return True


async def used(database: Database) -> int:
    async with database.reading() as tx:
        return sum(await tx.scalars(select(UsageRow.used)))


@BOTH_ENGINES
async def test_however_many_take_at_once_no_more_is_taken_than_there_is(
    database: Database, keys: Keyring, database_url: str
) -> None:
    await limited(database, keys, 100, unit="EUR")
    elsewhere = Database(database_url)  # as another process would

    got = await asyncio.gather(
        *(taken((database, elsewhere)[number % 2], demand(30, unit="EUR")) for number in range(10))
    )

    assert sum(got) == 3
    assert await used(database) == 90
    await elsewhere.close()


async def test_all_limits_are_taken_or_none(database: Database, keys: Keyring) -> None:
    await limited(database, keys, 10)
    await limited(database, keys, 1)

    assert await taken(database, demand())
    assert not await taken(database, demand())
    assert await used(database) == 2


async def test_each_subject_has_its_own_and_other_money_is_not_counted(database: Database, keys: Keyring) -> None:
    await limited(database, keys, 100, unit="EUR")

    assert await taken(database, demand(100, unit="EUR"))
    assert not await taken(database, demand(1, unit="EUR"))
    assert await taken(database, demand(100, unit="EUR", agent="agt_b"))
    assert await taken(database, demand(500, unit="USD"))


async def test_a_write_takes_once_and_gives_back_once(database: Database, keys: Keyring) -> None:
    await limited(database, keys, 1)

    assert await taken(database, demand(), invocation_id="inv_1")
    assert await taken(database, demand(), invocation_id="inv_1")
    assert not await taken(database, demand(), invocation_id="inv_2")
    for _ in range(2):
        async with database.transaction() as tx:
            await give_back(tx, "inv_1")
    assert await used(database) == 0
    assert await taken(database, demand(), invocation_id="inv_2")


async def test_a_new_window_begins_empty(database: Database, keys: Keyring) -> None:
    limit = await limited(database, keys, 1)
    assert await taken(database, demand())
    async with database.transaction() as tx:
        await tx.execute(update(UsageRow).values(began=UsageRow.began - limit.seconds))

    assert await taken(database, demand())
    assert not await taken(database, demand())


async def test_what_had_to_wait_since_an_earlier_window_takes_of_the_one_in_which_it_is_claimed_again(
    database: Database, keys: Keyring
) -> None:
    """Else a backlog would be sent at once, however few a window allows."""
    limit = await limited(database, keys, 1)
    assert await taken(database, demand(), invocation_id="inv_1")  # claimed, and released: its system was down
    async with database.transaction() as tx:
        await tx.execute(update(UsageRow).values(began=UsageRow.began - limit.seconds))
        await tx.execute(update(TakenRow).values(began=TakenRow.began - limit.seconds))

    assert await taken(database, demand(), invocation_id="inv_2")
    assert not await taken(database, demand(), invocation_id="inv_1")

    async with database.transaction() as tx:
        await give_back(tx, "inv_2")
    for _ in range(2):
        assert await taken(database, demand(), invocation_id="inv_1")
    assert await used(database) == 1  # what it took before is back where it was
    async with database.transaction() as tx:
        await give_back(tx, "inv_1")
    assert await used(database) == 0


def test_the_refusal_says_which_limit_and_when_it_frees() -> None:
    limit = Limit(id="lim_1", per=Per.AGENT, subject="", measure=Measure.MONEY, unit="EUR", amount=5000, seconds=DAY)
    at = datetime(2026, 11, 21, 23, 59, 30, tzinfo=UTC)

    refused = OverBudget(limit, at)

    assert refused.frees_at == datetime(2026, 11, 22, tzinfo=UTC)
    assert refused.retry_after_seconds == 31
    assert "EUR\u00a050.00 of money in a day for one agent" in refused.message
    assert "frees at 2026-11-22 00:00:00Z, in 31 seconds" in refused.message
    assert limit.frees(at + timedelta(seconds=30)) == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=-1, seconds=60),
        NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=1, seconds=0),
        NewLimit(per=Per.AGENT, measure=Measure.MONEY, amount=1, seconds=60),
        NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=1, seconds=60, unit="EUR"),
    ],
)
async def test_a_limit_that_contradicts_itself_is_not_set(database: Database, keys: Keyring, wrong: NewLimit) -> None:
    with pytest.raises(InputError):
        async with database.transaction() as tx:
            await set_limit(tx, wrong, Authority(database=database, keys=keys))


async def test_setting_and_lifting_are_events_and_seen_at_once(database: Database, keys: Keyring) -> None:
    brakes = Brakes(database, clock=lambda: 0.0)
    assert await brakes.limits() == ()
    limit = await limited(database, keys, 1)
    assert await brakes.limits() == (limit,)
    authority = Authority(database=database, keys=keys)

    async with database.transaction() as tx:
        await lift_limit(tx, limit.id, authority)

    assert await brakes.limits() == ()
    with pytest.raises(NotFound):
        async with database.transaction() as tx:
            await lift_limit(tx, limit.id, authority)
    async with database.reading() as tx:
        events = select(EventRow.kind).where(EventRow.kind.startswith("limit.")).order_by(EventRow.id)
        assert list(await tx.scalars(events)) == ["limit.set", "limit.lifted"]
