"""A plan from the call to its end: one preview, one approval, every step a call of its own, values passed on."""

import pytest
from world import World

from hub.audit import EventKind, events_of
from hub.invocations.queries import look_at
from hub.invocations.states import State
from hub.invocations.values import ApprovedBy
from plans.errand import calls_of, carried_out, items, offer, proposed, statuses

pytestmark = pytest.mark.anyio


async def test_a_plan_is_previewed_approved_once_and_carried_out_step_by_step(world: World) -> None:
    await offer(world)
    before = items(world)

    asked = await proposed(world)
    assert asked.state is State.AWAITING_APPROVAL, asked.error_message
    assert items(world) == before
    await world.vote(asked, world.ann)
    done = await carried_out(world, asked)

    assert done.state is State.VERIFIED, done.error_message
    assert items(world) == {1: ("retired", 10), 40: ("ruler", 10)}
    assert done.output["count"]["quantity"] == 10
    calls = await calls_of(world, asked)
    assert [(call.tool_name, call.approved_by) for call in calls] == [
        ("item_put", ApprovedBy.PLAN),
        ("item_update", ApprovedBy.PLAN),
        ("item_update", ApprovedBy.PLAN),
    ]
    assert calls[2].arguments == {"id": 40, "quantity": 10}
    assert await statuses(world, asked) == ["done", "done", "done"]
    assert len(world.upstream.store.effects()) == 3
    async with world.runtime.database.reading() as tx:
        of_step = await events_of(tx, calls[0].id)
    assert {event.facts["plan"] for event in of_step} == {asked.id}
    assert [event.kind for event in of_step][-1] is EventKind.COMMIT_VERIFIED
    assert (await look_at(world.runtime, world.caller, calls[0].id)).part is not None
