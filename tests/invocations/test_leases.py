"""A lease keeps everybody else away: whoever comes late to an invocation that somebody works on leaves it alone."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from world import World

from hub.core.errors import Conflict
from hub.invocations.commit import claim
from hub.invocations.journal import load
from hub.invocations.permit import Permit
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.storage import now

pytestmark = pytest.mark.anyio


async def claimed(world: World) -> Invocation:
    """An approved deletion that a first worker has just claimed."""
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    held = await claim(asked.id, world.runtime)
    assert held is not None
    return held


async def standing(world: World, invocation_id: str) -> tuple[State, int]:
    async with world.runtime.database.reading() as tx:
        found = await load(tx, invocation_id)
    return found.state, found.fence


async def test_a_claim_that_is_alive_is_not_taken_back(world: World) -> None:
    held = await claimed(world)

    with pytest.raises(Conflict):
        await resume(held.id, world.runtime)

    assert await standing(world, held.id) == (State.COMMITTING, held.fence)


async def test_a_commit_under_way_is_not_sent_again_by_a_second_worker(world: World) -> None:
    held = await claimed(world)
    await Permit(held, world.runtime, seconds=30).ask()

    with pytest.raises(Conflict):
        await resume(held.id, world.runtime)

    assert await standing(world, held.id) == (State.SENT, held.fence)


@pytest.mark.parametrize("state", [State.PREVIEWING, State.STALE, State.RESENDING, State.IN_DOUBT, State.COMMITTED])
async def test_whatever_is_leased_is_left_alone(world: World, state: State) -> None:
    held = await claimed(world)
    async with world.runtime.database.transaction() as tx:
        later = await now(tx) + timedelta(seconds=60)
        await tx.execute(update(InvocationRow).values(state=state.value, lease_until=later))

    with pytest.raises(Conflict):
        await resume(held.id, world.runtime)

    assert await standing(world, held.id) == (state, held.fence)
