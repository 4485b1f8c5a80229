"""One slow system delays nobody's calls but its own: what is due elsewhere is continued meanwhile."""

import asyncio

import pytest
from sqlalchemy import select, update
from world import World

from hub.invocations import continuing
from hub.invocations.continuing import IN_ALL, OF_ONE_SYSTEM, Continuing
from hub.invocations.resume import resume
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.worker import work

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


class SlowSystems:
    """Connections whose calls do not come back before they are let go; all others are continued as ever."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self._world = world
        self._slow = set[str]()
        self.begun = list[str]()
        self.waits, self.answers, self.went_on = asyncio.Event(), asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(continuing, "resume", self._resume)

    async def approved(self, *, run: str, over: str | None = None) -> str:
        """Return a write that is to be carried out; with `over` it is one of that slow system."""
        asked = await self._world.call("item_delete", {"id": 1}, run=run)
        await self._world.vote(asked, self._world.ann)
        if over is not None:
            self._slow.add(asked.id)
            async with self._world.runtime.database.transaction() as tx:
                its = update(InvocationRow).where(InvocationRow.id == asked.id)
                await tx.execute(its.values(connection_id=over))
        return asked.id

    async def _resume(self, invocation_id: str, runtime: Runtime) -> Invocation:
        self.begun.append(invocation_id)
        if invocation_id in self._slow:
            self.waits.set()
            await self.answers.wait()
            async with runtime.database.transaction() as tx:
                its = update(InvocationRow).where(InvocationRow.id == invocation_id)
                await tx.execute(its.values(state=State.FAILED.value))
        after = await resume(invocation_id, runtime)
        self.went_on.set()
        return after


@pytest.fixture
def systems(world: World, monkeypatch: pytest.MonkeyPatch) -> SlowSystems:
    return SlowSystems(world, monkeypatch)


async def state_of(world: World, invocation_id: str) -> State:
    async with world.runtime.database.reading() as tx:
        return State(await tx.scalar(select(InvocationRow.state).where(InvocationRow.id == invocation_id)))


async def test_a_system_takes_its_own_places_and_no_others(world: World, systems: SlowSystems) -> None:
    slow = [await systems.approved(run=f"slow {number}", over="slow") for number in range(OF_ONE_SYSTEM + 2)]
    quick = await systems.approved(run="quick")
    at = Continuing(world.runtime)

    begun = await at.turn()
    await asyncio.wait(begun, return_when=asyncio.FIRST_COMPLETED)

    assert len(begun) == OF_ONE_SYSTEM + 1
    assert await state_of(world, quick) is State.VERIFIED
    assert await at.turn() == [], "what is under way is not begun again, and the slow system has no place left"
    systems.answers.set()
    await asyncio.gather(*begun)
    await asyncio.gather(*await at.turn())
    assert await at.turn() == []
    assert sorted(systems.begun) == sorted([*slow, quick])


async def test_there_are_places_for_so_many_and_no_more(
    world: World, systems: SlowSystems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(continuing, "IN_ALL", 2)
    assert IN_ALL >= 2 * OF_ONE_SYSTEM
    for number in range(3):
        await systems.approved(run=f"slow {number}", over=f"slow {number}")
    freed = asyncio.Event()
    at = Continuing(world.runtime, freed=freed.set)

    begun = await at.turn()
    assert (len(begun), await at.turn()) == (2, [])
    systems.answers.set()
    await asyncio.gather(*begun)

    assert freed.is_set()
    assert len(await at.turn()) == 1
    await at.close()


async def test_what_fails_is_left_for_a_later_turn_and_keeps_no_other_back(
    world: World, systems: SlowSystems, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = await systems.approved(run="one"), await systems.approved(run="two")

    async def but_one(invocation_id: str, runtime: Runtime) -> Invocation:
        if invocation_id == broken:
            systems.begun.append(broken)
            raise RuntimeError(broken)
        return await resume(invocation_id, runtime)

    with monkeypatch.context() as failing:
        failing.setattr(continuing, "resume", but_one)
        at = Continuing(world.runtime)
        assert len(await asyncio.gather(*await at.turn())) == 2

    assert systems.begun == [broken]
    assert await state_of(world, sound) is State.VERIFIED
    await asyncio.gather(*await at.turn())
    assert systems.begun == [broken, broken]


async def test_the_worker_continues_what_is_approved_while_it_waits_for_a_slow_system(
    world: World, systems: SlowSystems
) -> None:
    await systems.approved(run="slow", over="slow")
    working = asyncio.create_task(work(world.runtime, {}))
    try:
        async with asyncio.timeout(60):  # so that it ends if it fails
            await systems.waits.wait()
            quick = await systems.approved(run="quick")
            await systems.went_on.wait()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    assert await state_of(world, quick) is State.VERIFIED
    assert not systems.answers.is_set()
