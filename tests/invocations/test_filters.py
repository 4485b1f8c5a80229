"""Filters by status: what is listed under a status is what is called that, in every state and with every error."""

import pytest
from invocations.test_doubt import approved, finding, operator
from sqlalchemy import select, update
from upstream.faults import Fault
from world import World

from hub.invocations.envelope import STEP_IN_DOUBT, Status, looks_like, outward
from hub.invocations.journal import load
from hub.invocations.queries import Wanted, my_invocations
from hub.invocations.resolve import resolve
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow

pytestmark = pytest.mark.anyio

ERRORS = (None, STEP_IN_DOUBT, "not_done", "cancelled")


@pytest.mark.parametrize("tool", [("item_get", {"id": 1}), ("note_post", {"text": "hello"})], ids=("read", "write"))
async def test_a_call_has_one_status_and_is_found_by_that_alone(
    world: World, tool: tuple[str, dict[str, object]]
) -> None:
    called = await world.call(*tool)
    row = InvocationRow

    for state in State:
        for error in ERRORS:
            async with world.runtime.database.transaction() as tx:
                await tx.execute(update(row).where(row.id == called.id).values(state=state.value, error_code=error))
            async with world.runtime.database.reading() as tx:
                told = outward(await load(tx, called.id)).status
                found = [one for one in Status if await tx.scalar(select(row.id).where(looks_like(one)))]
            assert found == [told], (state, error)


async def test_what_people_found_not_done_is_listed_as_failed(world: World) -> None:
    ready = await approved(world, "note_post", {"text": "Back at noon"})
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, method="POST")
    lost = await resume(ready.id, world.runtime)
    settled = await resolve(finding(lost, await operator(world, "omar"), has_happened=False), world.runtime)

    for status in Status:
        listed = await my_invocations(world.runtime, world.caller, wanted=Wanted(status=status))
        assert [one.id for one in listed.items] == ([settled.id] if status is Status.FAILED else [])
