"""Decisions that meet on PostgreSQL: whoever is first wins, the other is told, and none of them waits for ever."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable

import pytest
from sqlalchemy import text
from upstream.fixtures import Upstream
from world import World, open_world

from hub.core.errors import Conflict, HubError, Unavailable
from hub.invocations.journal import load
from hub.invocations.queries import cancel, current
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.storage import Database, Tx

pytestmark = pytest.mark.anyio

ROUNDS = 12


@pytest.fixture
async def database(postgresql_url: str) -> AsyncGenerator[Database]:
    """Only here do two transactions write at the same time."""
    opened = Database(postgresql_url)
    yield opened
    await opened.close()


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    async with open_world(database, keys, upstream) as opened:
        yield opened


async def overdue(world: World, asked: Invocation) -> Invocation:
    """Let the time of `asked` be up, and look at it, which is what makes it expire."""
    async with world.runtime.database.transaction() as tx:
        past = "UPDATE invocations SET deadline = clock_timestamp() - interval '1 second' WHERE id = :id"
        await tx.execute(text(past), {"id": asked.id})
    return await current(world.runtime, asked.id)


async def told(decision: Awaitable[Invocation]) -> State | str:
    """Return where `decision` led, or with which code it was refused; anything else is an error of the hub."""
    try:
        return (await decision).state
    except HubError as refusal:
        return refusal.code


async def test_a_vote_a_cancellation_and_an_expiry_that_meet_end_in_one_of_them(world: World) -> None:
    for number in range(ROUNDS):
        asked = await world.call("ticket_create", {"title": f"race {number}"})

        ends = await asyncio.gather(
            told(world.vote(asked, world.ann)),
            told(cancel(world.runtime, world.caller, asked.id, reason="not needed")),
            told(overdue(world, asked)),
            told(cancel(world.runtime, world.caller, asked.id, reason="not needed either")),
        )

        assert "unavailable" not in ends  # what PostgreSQL ends for a deadlock is told so
        async with world.runtime.database.reading() as tx:
            stands = (await load(tx, asked.id)).state
        assert stands in {State.APPROVED, State.CANCELLED, State.EXPIRED}


async def waiting_for_locks(world: World, many: int) -> None:
    """Return once `many` transactions wait for another one."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while True:
        async with world.runtime.database.reading() as tx:
            if await tx.scalar(query) == many:
                return


async def test_a_vote_waits_for_the_invocation_before_it_takes_the_question(world: World) -> None:
    """The other way round a cancellation, which comes from the invocation, and the vote would wait for each other."""
    asked = await world.call("ticket_create", {"title": "a race"})

    async with world.runtime.database.transaction() as tx:
        await tx.execute(text("SELECT 1 FROM invocations WHERE id = :id FOR UPDATE"), {"id": asked.id})
        first = asyncio.create_task(told(cancel(world.runtime, world.caller, asked.id, reason="not needed")))
        await waiting_for_locks(world, 1)
        second = asyncio.create_task(told(world.vote(asked, world.ann)))
        await waiting_for_locks(world, 2)

    assert (await first, await second) == (State.CANCELLED, Conflict.code)


async def test_a_deadlock_is_told_as_something_to_try_again(database: Database) -> None:
    """No way leads to one in the hub; should there be one some day, nobody is shown a failure of the hub."""
    met = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with database.transaction() as tx:
            await database.lock(tx, first)
            await met.wait()
            await database.lock(tx, second)

    ends = await asyncio.gather(lock("a", "b"), lock("b", "a"), return_exceptions=True)

    (refused,) = [end for end in ends if end is not None]
    assert isinstance(refused, Unavailable)
    assert "try again" in refused.message


async def test_a_serialization_failure_is_told_as_something_to_try_again(world: World) -> None:
    database = world.runtime.database

    async def change(tx: Tx, title: str) -> None:
        await tx.execute(text("UPDATE groups SET title = :title WHERE name = 'approvers'"), {"title": title})

    async def overtaken() -> None:
        async with database.transaction() as tx:
            await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await tx.execute(text("SELECT title FROM groups"))
            async with database.transaction() as other:
                await change(other, "theirs")
            await change(tx, "ours")

    with pytest.raises(Unavailable, match="try again"):
        await overtaken()
