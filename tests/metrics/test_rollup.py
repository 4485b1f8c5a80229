"""The roll-up: it says what the records say, whoever counts and how often, and what came later is in it."""

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import func, select, update

from hub.approvals import Choice
from hub.core.errors import Conflict
from hub.identity.principals import Caller
from hub.invocations.emptying import empty
from hub.invocations.states import State
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Invocation
from hub.metrics import By, recompute
from hub.metrics.counting import count
from hub.metrics.definitions import Count
from hub.metrics.rollup import LEASE, OVERLAP, Turn, count_again, counting
from hub.metrics.stale import Day
from hub.metrics.tables import CountedRow, ProgressRow
from hub.metrics.values import Entry, Place, Tally, window_of
from metrics.books import BOTH_ENGINES, Books, named, roll_up, shares, told

pytestmark = pytest.mark.anyio


async def a_bit_of_everything(books: Books) -> list[Invocation]:
    """Return calls of several kinds: reads, one of them in a case, writes that people decided, and one by policy."""
    read = await books.call("item_get", {"id": 1}, run="r", case="c")
    approved = await books.approved(await books.asked(7))
    rejected = await books.world.vote(await books.asked(8), books.people["ann"], Choice.REJECT)
    by_policy = await books.call("item_update", {"id": 1, "quantity": 11})
    await books.refused("item_get", {"id": "one"})
    return [read, approved, rejected, by_policy]


async def stored(books: Books) -> Tally:
    """Return everything that was rolled up."""
    async with books.database.reading() as tx:
        rows = (await tx.scalars(select(CountedRow))).all()
    return Tally(
        {
            (
                Place(
                    day=row.day,
                    agent_id=row.agent_id,
                    environment=row.environment,
                    tool_id=row.tool_id,
                    centre_id=row.centre_id,
                    decider=row.decider,
                ),
                Entry(count=Count(row.count), unit=row.unit, case_key=row.case_key, seconds=row.seconds),
            ): row.n
            for row in rows
        }
    )


async def live(books: Books, day: date) -> Tally:
    """Return what the records say of one day."""
    async with books.database.reading() as tx:
        return await count(tx, window_of(day))


@BOTH_ENGINES
async def test_the_roll_up_says_what_counting_live_says(books: Books) -> None:
    calls = await a_bit_of_everything(books)
    day = await books.days_ago(3, *calls)
    before = await live(books, day)

    rolled = await roll_up(books)

    assert (rolled.days, rolled.corrected) in {(3, 0), (2, 0)}  # two in the first minutes after midnight
    assert sum(before.values()) > 20
    assert await stored(books) == before
    assert told((await books.numbers())["approval_frequency"]) == (0.6667, 3)


@BOTH_ENGINES
async def test_counting_again_changes_nothing(books: Books) -> None:
    day = await books.days_ago(3, *await a_bit_of_everything(books))
    await roll_up(books)
    once = await stored(books)

    again = await recompute(books.database, day)
    await recompute(books.database, day)

    assert again.days >= 2
    assert await stored(books) == once
    assert (await roll_up(books)).days == 0
    assert await stored(books) == once


async def test_what_is_wrong_in_the_roll_up_is_mended_by_recomputing_it(books: Books) -> None:
    day = await books.days_ago(3, *await a_bit_of_everything(books))
    await roll_up(books)
    right = await stored(books)
    async with books.database.transaction() as tx:
        await tx.execute(update(CountedRow).values(n=CountedRow.n + 7))

    await recompute(books.database, day)

    assert await stored(books) == right


@BOTH_ENGINES
async def test_an_undo_later_on_corrects_the_day_of_the_call(books: Books) -> None:
    done = await books.call("item_update", {"id": 1, "quantity": 11})
    day = await books.days_ago(3, done)
    await roll_up(books)
    assert shares(await books.numbers())["rollback_rate"] == (0, 1)

    wanted = Undo(caller=Caller(actor=books.people["rita"]), invocation_id=done.id, reason="a slip", trace_id="trace")
    assert (await undo(wanted, books.world.runtime)).state is State.VERIFIED
    rolled = await roll_up(books)

    assert rolled.corrected == 1
    line = named(await books.ask(by=By.DAY))[day.isoformat()]
    assert shares(line)["rollback_rate"] == (1, 1)
    assert shares(line)["tool_call_accuracy"] == (0, 1)


async def test_a_decision_days_later_belongs_to_the_day_of_the_call(books: Books) -> None:
    asked = await books.asked()
    day = await books.days_ago(2, asked)
    await roll_up(books)
    assert shares(await books.numbers())["approval_frequency"] == (0, 1)

    await books.world.vote(asked, books.people["ann"], Choice.REJECT)
    assert (await roll_up(books)).corrected == 1

    line = named(await books.ask(by=By.DAY))[day.isoformat()]
    assert shares(line)["rejection_rate"] == (1, 1)


async def test_a_run_that_names_its_case_later_had_it_from_the_beginning(books: Books) -> None:
    first = await books.call("item_get", {"id": 1}, run="r")
    await books.days_ago(2, first)
    await roll_up(books)
    assert (await books.numbers())["cost_per_case"].n == 0

    await books.call("item_get", {"id": 1}, run="r", case="c")
    await roll_up(books)

    assert told((await books.numbers())["cost_per_case credits"]) == (6, 1)


async def test_what_moved_while_somebody_was_counting_is_seen_the_next_time(books: Books) -> None:
    """A transaction may have begun before the last look and ended after it: looks overlap."""
    asked = await books.asked()
    await books.days_ago(2, asked)
    rejected = await books.world.vote(asked, books.people["ann"], Choice.REJECT)
    await roll_up(books)
    async with books.database.transaction() as tx:
        seen = await tx.scalar(select(ProgressRow.seen_until))
        await tx.execute(update(CountedRow).values(n=99))
    assert seen is not None
    at = seen - OVERLAP / 2
    async with books.database.transaction() as tx:
        await books.moved(tx, rejected, at)

    assert (await roll_up(books)).corrected == 1
    assert shares(await books.numbers())["rejection_rate"] == (1, 1)


@BOTH_ENGINES
async def test_two_workers_count_one_after_the_other_or_one_steps_aside(books: Books) -> None:
    day = await books.days_ago(3, *await a_bit_of_everything(books))
    expected = await live(books, day)

    done = await asyncio.gather(*(roll_up(books) for _ in range(4)), return_exceptions=True)

    assert [one for one in done if isinstance(one, BaseException) and not isinstance(one, Conflict)] == []
    assert any(not isinstance(one, BaseException) for one in done)
    assert await stored(books) == expected


async def test_while_one_counts_another_does_not_begin(books: Books) -> None:
    async with counting(books.database):
        with pytest.raises(Conflict, match="counting"):
            await roll_up(books)
    await roll_up(books)


async def test_a_worker_that_was_taken_for_dead_writes_nothing(books: Books) -> None:
    day = await books.days_ago(3, *await a_bit_of_everything(books))
    async with counting(books.database) as late:
        async with books.database.transaction() as tx:  # it slept for longer than its lease lasts
            await tx.execute(update(ProgressRow).values(lease_until=late.at - LEASE))
        await roll_up(books)
        right = await stored(books)

        with pytest.raises(Conflict, match="taken"):
            await count_again(books.database, late, Day(day=day + timedelta(days=1)))
        assert await stored(books) == right


async def test_a_call_belongs_to_the_day_in_which_it_was_made_to_the_microsecond(books: Books) -> None:
    last, first = [await books.call("item_get", {"id": 1}) for _ in range(2)]
    midnight = datetime.combine((await books.now()).date() - timedelta(days=2), time(), UTC)
    await books.made_at(last, midnight - timedelta(microseconds=1))
    await books.made_at(first, midnight)

    await roll_up(books)

    lines = named(await books.ask(by=By.DAY))
    days = [(midnight - timedelta(days=1)).date().isoformat(), midnight.date().isoformat()]
    assert {day: shares(line)["tool_call_accuracy"] for day, line in lines.items()} == dict.fromkeys(days, (1, 1))


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (time(0, 0), date(2026, 11, 20)),
        (time(0, 14, 59), date(2026, 11, 20)),
        (time(0, 15), date(2026, 11, 21)),
        (time(23, 59, 59), date(2026, 11, 21)),
    ],
)
async def test_a_day_is_rolled_up_once_every_transaction_of_it_has_ended(at: time, end: date) -> None:
    moment = datetime.combine(date(2026, 11, 21), at, UTC)
    turn = Turn(fence=1, at=moment, counted_until=None, seen_until=None)

    assert turn.end == end


async def test_todays_calls_are_in_the_numbers_before_anybody_has_counted_them(books: Books) -> None:
    earlier = await books.call("item_get", {"id": 1}, run="1", case="same")
    await books.days_ago(5, earlier)
    await roll_up(books)
    await books.call("item_get", {"id": 1}, run="2", case="same")
    await books.call("item_get", {"id": 1}, run="3", case="other")

    found = await books.ask()

    assert shares(named(found)[""])["tool_call_accuracy"] == (3, 3)
    assert told(named(found)[""]["cost_per_case credits"]) == (4.5, 2)  # a case that is in both counts once
    assert found.uncounted == ()


async def test_days_that_nobody_has_counted_yet_are_told(books: Books) -> None:
    day = await books.days_ago(5, await books.call("item_get", {"id": 1}))

    found = await books.ask()

    assert found.uncounted[0] == day
    assert shares(named(found)[""])["tool_call_accuracy"] == (0, 0)


async def test_erasing_what_calls_said_leaves_every_number_as_it_was(books: Books) -> None:
    calls = await a_bit_of_everything(books)
    day = await books.days_ago(3, *calls)
    await roll_up(books)
    before = await stored(books)
    async with books.database.transaction() as tx:
        await empty(tx, books.world.runtime.keys, [call.id for call in calls])

    await recompute(books.database, day)

    assert any(entry.count is Count.CASE for _, entry in before)
    assert await stored(books) == before


async def test_a_case_is_kept_by_a_key_that_does_not_tell_its_name(books: Books) -> None:
    await books.days_ago(3, await books.call("item_get", {"id": 1}, case="Mrs. Quillfeather"))
    await roll_up(books)

    async with books.database.reading() as tx:
        keys = set(await tx.scalars(select(CountedRow.case_key).where(CountedRow.case_key != "")))
        many = await tx.scalar(select(func.count()).select_from(CountedRow))

    assert many == 5  # calls, accurate ones, the case, its cost, and the cost of all
    assert len(keys) == 1
    assert "Quillfeather" not in str(keys)
