"""Lookers: whoever may look at a write and has no part in it undoes neither it nor what belongs to it."""

from datetime import UTC, datetime

import pytest
from plans.errand import calls_of, halfway
from questions import add_groups, add_person, ask_by
from sqlalchemy import update
from world import World

from connectors.sdk.vocabulary import Tier
from hub.approvals.tables import QuestionRow
from hub.core.errors import NotFound
from hub.identity.principals import Caller, Principal
from hub.invocations.break_glass import break_glass
from hub.invocations.queries import look_at
from hub.invocations.reminders import chase_due
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Invocation
from hub.registry import find_tool, set_owner_tier
from hub.reviews import NewReview, ReviewKind, put_review
from hub.storage import now
from reviews.test_break_glass import breaking, operator
from reviews.test_samples import review_by, updated

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def undone(world: World, call: Invocation, by: Principal) -> Invocation:
    """Return the call by which somebody who has just logged in takes back `call`, agreed to by ann if she is asked."""
    caller = Caller(actor=by, authenticated_at=datetime.now(UTC))
    taken = await undo(Undo(caller=caller, invocation_id=call.id, reason="A slip.", trace_id="trace"), world.runtime)
    if taken.state is State.AWAITING_APPROVAL:
        await world.vote(taken, world.ann)
        taken = await resume(taken.id, world.runtime)
    assert taken.state is State.VERIFIED, (taken.state, taken.error_message)
    return taken


async def asked(world: World) -> Invocation:
    """Return a write that waits for the approvers, and that can be undone."""
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_update")
        assert tool is not None
        await set_owner_tier(tx, tool.id, Tier.HIGH, world.runtime.authority)
    waiting = await world.call("item_update", {"id": 1, "quantity": 11})
    assert waiting.state is State.AWAITING_APPROVAL
    return waiting


async def only_looks(world: World, person: Principal, call: Invocation) -> bool:
    """Return whether `person` is shown `call`, and whoever wants to undo it is told that there is no such call."""
    assert (await look_at(world.runtime, Caller(actor=person), call.id)).id == call.id
    with pytest.raises(NotFound):
        await undone(world, call, by=person)
    return True


async def test_a_reviewer_undoes_neither_a_write_nor_its_undo_nor_the_undo_of_that(world: World) -> None:
    await review_by(world, '@review("approvers:100%")')
    done = await updated(world, 11)
    back = await undone(world, done, by=world.rita)
    again = await undone(world, back, by=world.rita)

    assert [await only_looks(world, world.ann, one) for one in (done, back, again)] == [True] * 3


async def test_an_operator_undoes_neither_what_went_by_broken_glass_nor_its_undo(world: World) -> None:
    omar, olaf = await operator(world), await operator(world, "olaf")
    let_go = await break_glass(breaking(await asked(world), omar), world.runtime)
    done = await resume(let_go.id, world.runtime)
    back = await undone(world, done, by=world.rita)

    assert [await only_looks(world, olaf, one) for one in (done, back)] == [True] * 2


async def test_an_operator_who_watches_a_plan_undoes_none_of_its_steps(world: World) -> None:
    olaf = await operator(world)
    plan = await halfway(world)
    (step,) = await calls_of(world, plan)

    assert [await only_looks(world, olaf, one) for one in (plan, step)] == [True] * 2


async def test_who_reviews_a_plan_undoes_none_of_its_steps(world: World) -> None:
    await add_groups(world, "reviewers")
    rosa = await add_person(world, "rosa", "reviewers")
    plan = await halfway(world)
    (step,) = await calls_of(world, plan)
    new = NewReview(
        kind=ReviewKind.SAMPLE,
        approval_digest=plan.approval_digest or "",
        invocation_id=plan.id,
        environment=plan.environment,
        agent_id=plan.agent_id,
        tool_id=plan.tool_id,
        tool_name=plan.tool_name,
        reviewers=("reviewers",),
        excluded=frozenset(),
    )
    async with world.runtime.database.transaction() as tx:
        await put_review(tx, new, opened_at=await now(tx))

    assert [await only_looks(world, rosa, one) for one in (plan, step)] == [True] * 2


async def test_who_was_told_that_nobody_answers_does_not_undo_what_was_decided_then(world: World) -> None:
    await add_groups(world, "heads")
    await ask_by(world, '@require("approvers:1") @escalate("heads")')
    hedy = await add_person(world, "hedy", "heads")
    waiting = await asked(world)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(QuestionRow).values(escalate_at=QuestionRow.opened_at))
    await chase_due(world.runtime)
    await world.vote(waiting, world.ann)
    done = await resume(waiting.id, world.runtime)
    assert done.state is State.VERIFIED

    assert await only_looks(world, hedy, done)


async def test_whoever_was_asked_about_a_write_may_undo_its_undo(world: World) -> None:
    waiting = await asked(world)
    await world.vote(waiting, world.ann)
    back = await undone(world, await resume(waiting.id, world.runtime), by=world.rita)
    ada = await add_person(world, "ada", "approvers")

    wanted = Undo(caller=Caller(actor=ada), invocation_id=back.id, reason="It was right.", trace_id="trace")
    again = await undo(wanted, world.runtime)

    assert (again.undoes, again.agent_id) == (back.id, ada.id)
