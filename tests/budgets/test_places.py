"""Calls at the same time: never more than allowed, across processes, and a place that nobody gives up is free again."""

import asyncio
from datetime import timedelta

import pytest
from continued import continue_due
from doomed import KILLED, Doomed
from sqlalchemy import select, update
from world import World

from hub.audit.tables import EventRow
from hub.budgets import (
    Demand,
    Holder,
    Limit,
    Measure,
    NewLimit,
    NoPlace,
    Per,
    forget_places,
    forget_usage,
    keep_place,
    leave_place,
    limits_now,
    set_limit,
    take_place,
)
from hub.budgets import places as places_of_limits
from hub.budgets.tables import PlaceRow, UsageRow
from hub.budgets.taking import begin
from hub.core.errors import IdempotencyMismatch, InputError
from hub.identity.authority import Authority
from hub.invocations.commit import claim
from hub.invocations.envelope import envelope
from hub.invocations.permit import Permit, TooLate
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.keys import Keyring
from hub.storage import Database, Tx, now

pytestmark = pytest.mark.anyio

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


async def at_once(database: Database, keys: Keyring, amount: int, *, per: Per = Per.AGENT, subject: str = "") -> Limit:
    async with database.transaction() as tx:
        new = NewLimit(per=per, measure=Measure.AT_ONCE, amount=amount, subject=subject)
        return await set_limit(tx, new, Authority(database=database, keys=keys))


def demand(agent: str = "agt_a") -> Demand:
    return Demand(subjects={Per.AGENT: agent}, amounts={(Measure.AT_ONCE, ""): 1})


async def took(database: Database, holder: str, *, agent: str = "agt_a") -> bool:
    try:
        async with database.transaction() as tx:
            await take_place(tx, await limits_now(tx), demand(agent), Holder(id=holder, seconds=60))
    except NoPlace:
        return False
    return True


async def places(database: Database) -> list[str]:
    async with database.reading() as tx:
        return list(await tx.scalars(select(PlaceRow.holder).order_by(PlaceRow.holder)))


async def let_pass(database: Database, *, seconds: int = 3600) -> None:
    """Let the time of every place be over."""
    async with database.transaction() as tx:
        await tx.execute(update(PlaceRow).values(until=await now(tx) - timedelta(seconds=seconds)))


@BOTH_ENGINES
async def test_however_many_look_at_once_no_more_are_under_way_than_allowed(
    database: Database, keys: Keyring, database_url: str
) -> None:
    await at_once(database, keys, 3)
    elsewhere = Database(database_url)  # as another process would

    got = await asyncio.gather(*(took((database, elsewhere)[number % 2], f"inv_{number}") for number in range(12)))

    assert sum(got) == len(await places(database)) == 3
    await elsewhere.close()


async def test_a_place_is_free_when_it_is_given_up_or_its_time_is_over(database: Database, keys: Keyring) -> None:
    await at_once(database, keys, 1)

    assert await took(database, "inv_1")
    assert await took(database, "inv_1"), "whoever has a place keeps it"
    assert not await took(database, "inv_2")
    assert await took(database, "inv_2", agent="agt_b"), "each agent has its own"
    async with database.transaction() as tx:
        await leave_place(tx, "inv_1")
    assert await took(database, "inv_3")
    await let_pass(database)
    assert await took(database, "inv_4")
    assert not await took(database, "inv_3"), "its time was over, and another has its place"


async def test_whoever_lost_its_place_is_told(database: Database, keys: Keyring) -> None:
    await at_once(database, keys, 1)
    await took(database, "inv_1")

    async with database.transaction() as tx:
        assert await keep_place(tx, Holder(id="inv_1", seconds=60))
        assert await keep_place(tx, Holder(id="inv_nobody", seconds=60)), "no limit asked it for one"
    await let_pass(database)
    async with database.transaction() as tx:
        assert not await keep_place(tx, Holder(id="inv_1", seconds=60))


async def test_what_nobody_gave_up_is_forgotten_in_the_end(database: Database, keys: Keyring) -> None:
    await at_once(database, keys, 2)
    await took(database, "inv_1")
    await let_pass(database, seconds=2 * 24 * 3600)
    await took(database, "inv_2")

    async with database.transaction() as tx:
        await forget_places(tx)

    assert await places(database) == ["inv_2"]


@pytest.mark.parametrize("per", [Per.AGENT, Per.USER, Per.TOOL, Per.SERVER, Per.RUN])
async def test_a_call_beyond_those_under_way_is_refused_and_told_when_to_come_again(world: World, per: Per) -> None:
    await at_once(world.runtime.database, world.runtime.keys, 1, per=per)
    asked = await world.call("item_delete", {"id": 1}, run="r1")  # which waits for people, and holds no place
    await world.vote(asked, world.ann)
    assert await claim(asked.id, world.runtime) is not None

    refused = await world.call("item_delete", {"id": 2}, run="r1")
    told = envelope(refused, public_url="http://hub.test")

    assert asked.state is State.AWAITING_APPROVAL
    assert (refused.state, refused.error_code) == (State.DENIED, "over_budget")
    assert told.structured["retryable"] is True
    assert 1 <= told.structured["retry_after_seconds"] <= 5
    assert f"1 call at the same time for one {per}. One of them must end first; try again in 5 seconds." in told.text


async def test_a_read_a_write_and_a_repeat_leave_their_places(world: World) -> None:
    database = world.runtime.database
    await at_once(database, world.runtime.keys, 1)

    read = await world.call("item_get", {"id": 1})
    missing = await world.call("item_get", {"id": 999})
    written = await world.call("item_update", {"id": 1, "name": "pencil", "quantity": 7}, key="k1")
    repeated = await world.call("item_update", {"id": 1, "name": "pencil", "quantity": 7}, key="k1")
    with pytest.raises(IdempotencyMismatch):
        await world.call("item_update", {"id": 1, "name": "pencil", "quantity": 8}, key="k1")

    assert (read.state, missing.state, written.state) == (State.SUCCEEDED, State.FAILED, State.VERIFIED)
    assert repeated.repeats
    assert await places(database) == []


@BOTH_ENGINES
async def test_what_was_approved_waits_until_another_call_has_ended(world: World) -> None:
    await at_once(world.runtime.database, world.runtime.keys, 1)
    first = await world.call("note_post", {"text": "one"})
    second = await world.call("note_post", {"text": "two"})
    await world.vote(first, world.ann)
    held = await claim(first.id, world.runtime)
    await world.vote(second, world.ann)

    assert held is not None
    assert await claim(second.id, world.runtime) is None
    async with world.runtime.database.reading() as tx:
        waiting = await tx.get_one(InvocationRow, second.id)
        braked = (await tx.scalars(select(EventRow.subject).where(EventRow.kind == "commit.braked"))).all()
    assert (waiting.state, waiting.error_code, list(braked)) == ("APPROVED", "over_budget", [second.id])
    assert await places(world.runtime.database) == [first.id]
    async with world.runtime.database.transaction() as tx:  # the process that held it has died
        past = await now(tx) - timedelta(seconds=1)
        await tx.execute(update(InvocationRow).where(InvocationRow.id == first.id).values(lease_until=past))
        await tx.execute(update(InvocationRow).values(not_before=None))
    await let_pass(world.runtime.database)
    for _ in range(3):
        await continue_due(world.runtime)
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(InvocationRow).values(not_before=None))
    assert len(world.upstream.store.effects()) == 2
    assert await places(world.runtime.database) == []


async def test_a_write_that_lost_its_place_before_it_was_sent_is_not_sent(world: World) -> None:
    await at_once(world.runtime.database, world.runtime.keys, 1)
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    claimed = await claim(asked.id, world.runtime)
    assert claimed is not None
    await let_pass(world.runtime.database)

    with pytest.raises(TooLate, match="others took its place"):
        await Permit(claimed, world.runtime, seconds=5).ask()

    assert world.upstream.store.effects() == []


@BOTH_ENGINES
async def test_a_process_that_is_killed_holds_its_place_no_longer_than_its_lease(world: World, doomed: Doomed) -> None:
    database = world.runtime.database
    await at_once(database, world.runtime.keys, 1)
    process = doomed.start(database, "after", 1, "call", "item_get", '{"id": 1}')
    assert doomed.end_of(process) == KILLED

    meanwhile = await world.call("item_get", {"id": 1})
    await let_pass(database)
    afterwards = await world.call("item_get", {"id": 1})

    assert (meanwhile.error_code, afterwards.state) == ("over_budget", State.SUCCEEDED)


async def test_a_run_ends_when_its_time_is_over_and_another_begins(world: World) -> None:
    database = world.runtime.database
    async with database.transaction() as tx:
        new = NewLimit(per=Per.RUN, measure=Measure.TIME, amount=600)
        await set_limit(tx, new, world.runtime.authority)
    within = [(await world.call("item_get", {"id": 1}, run="r1")).state for _ in range(2)]
    async with database.transaction() as tx:
        await tx.execute(update(UsageRow).values(used=UsageRow.used - 600))

    over = await world.call("item_get", {"id": 1}, run="r1")
    told = envelope(over, public_url="http://hub.test")

    assert within == [State.SUCCEEDED, State.SUCCEEDED]
    assert (over.state, over.error_code, told.structured["retryable"]) == (State.DENIED, "run_over", False)
    assert "10 minutes from its first call on for one run" in told.text
    assert "retry_after_seconds" not in told.structured
    assert (await world.call("item_get", {"id": 1}, run="r2")).state is State.SUCCEEDED
    assert (await world.call("item_get", {"id": 1})).state is State.SUCCEEDED, "a call that names no run has none"


async def test_what_people_agreed_to_is_committed_after_the_time_of_its_run(world: World) -> None:
    database = world.runtime.database
    async with database.transaction() as tx:
        new = NewLimit(per=Per.RUN, measure=Measure.TIME, amount=600)
        await set_limit(tx, new, world.runtime.authority)
    asked = await world.call("item_delete", {"id": 1}, run="r1")
    async with database.transaction() as tx:
        await tx.execute(update(UsageRow).values(used=UsageRow.used - 6000))

    await world.vote(asked, world.ann)
    await continue_due(world.runtime)

    assert len(world.upstream.store.effects()) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        NewLimit(per=Per.AGENT, measure=Measure.AT_ONCE, amount=1, seconds=60),
        NewLimit(per=Per.AGENT, measure=Measure.TIME, amount=60),
        NewLimit(per=Per.RUN, measure=Measure.TIME, amount=60, seconds=60),
        NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=1),
        NewLimit(per=Per.AGENT, measure=Measure.AT_ONCE, amount=1, unit="EUR"),
    ],
)
async def test_a_limit_without_windows_has_none_and_time_is_of_runs(
    database: Database, keys: Keyring, wrong: NewLimit
) -> None:
    with pytest.raises(InputError):
        async with database.transaction() as tx:
            await set_limit(tx, wrong, Authority(database=database, keys=keys))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_who_looks_for_a_place_waits_though_what_it_waits_for_is_forgotten_at_that_moment(
    database: Database, keys: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, begins = await at_once(database, keys, 1), list[object]()

    async def begun_by_another_and_forgotten(tx: Tx, key: tuple[str, str, int]) -> None:
        begins.append(key)
        if len(begins) == 1:
            async with database.transaction() as other:
                await begin(other, key)
        await begin(tx, key)
        if len(begins) == 1:
            async with database.transaction() as other:
                await forget_usage(other)

    monkeypatch.setattr(places_of_limits, "begin", begun_by_another_and_forgotten)
    async with database.transaction() as tx:
        await take_place(tx, [limit], demand(), Holder(id="inv_1", seconds=60))

    async with database.reading() as tx:
        assert list(await tx.scalars(select(UsageRow.subject))) == ["agt_a"], "there is something to wait for"
    assert len(begins) == 2
