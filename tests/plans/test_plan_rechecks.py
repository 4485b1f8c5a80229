"""What is asked again before a plan, or a step of one, is sent: each reason that only plans can give."""

import pytest
from sqlalchemy import select
from upstream.connector import connector
from world import World

from hub.approvals.tables import QuestionRow
from hub.budgets import lift_limit
from hub.identity.accounts import suspend
from hub.invocations.commit import claim
from hub.invocations.overtaking import Overtaking
from hub.invocations.queries import current
from hub.invocations.recheck import Changed, Holds, recheck
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.taken_back import taken_back
from hub.registry import register_connector
from plans.errand import approved, calls_of, held_back, offer, proposed

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def test_a_plan_is_void_when_policy_forbids_one_of_its_steps(world: World) -> None:
    await offer(world)
    plan = await approved(world)
    claimed = await claim(plan.id, world.runtime)
    assert claimed is not None
    await world.decide_by(
        '@id("no-renaming") @why("Nobody renames.")'
        ' forbid (principal, action == Action::"commit", resource in ToolClass::"upstream.item_update");'
    )

    outcome = await recheck(claimed, world.runtime)

    assert isinstance(outcome, Changed)
    assert "policy no longer allows one of its steps" in outcome.reasons


async def test_a_step_is_void_when_what_people_agreed_to_is_another_plan(world: World) -> None:
    plan, limit = await held_back(world)
    (*_, step) = await calls_of(world, plan)
    async with world.runtime.database.transaction() as tx:
        row = (await tx.scalars(select(QuestionRow))).one()
        row.terms = {**row.terms, "nonce": "another"}
        await lift_limit(tx, limit, world.runtime.authority)

    claimed = await claim(step.id, world.runtime)
    assert claimed is not None
    outcome = await recheck(claimed, world.runtime)

    assert isinstance(outcome, Changed)
    assert "the approval of its plan is for something else" in outcome.reasons


async def test_whoever_approved_a_plan_and_is_suspended_stops_its_step_right_before_the_first_byte(
    world: World,
) -> None:
    plan, limit = await held_back(world)
    (*_, step) = await calls_of(world, plan)
    async with world.runtime.database.transaction() as tx:
        await lift_limit(tx, limit, world.runtime.authority)
    claimed = await claim(step.id, world.runtime)
    assert claimed is not None
    assert isinstance(await recheck(claimed, world.runtime), Holds)

    async with world.runtime.database.transaction() as tx:
        assert await taken_back(tx, claimed, public_url=world.runtime.public_url) == ""
        await suspend(tx, world.ann.id, "left", world.runtime.authority)
        assert (
            await taken_back(tx, claimed, public_url=world.runtime.public_url)
            == "Somebody who approved it may no longer do so."
        )


async def test_a_plan_is_overtaken_when_the_tool_of_a_step_is_another_one(world: World) -> None:
    await offer(world)
    asked = await proposed(world)
    changed = [
        one.model_copy(update={"description": "Change an item."}) if one.name == "item_update" else one
        for one in connector.spec.operations
    ]
    release = connector.spec.model_copy(update={"version": "1.0.1", "operations": tuple(changed)})
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, release, world.runtime.authority)

    assert await Overtaking(world.runtime).turn() == 1

    overtaken = await current(world.runtime, asked.id)
    assert overtaken.state is State.STALE
    assert overtaken.error_message == "the tool 'item_update' of its step 'rename' has changed"
    assert (await resume(asked.id, world.runtime)).state is State.PREVIEW_FAILED  # its owner declares it again
