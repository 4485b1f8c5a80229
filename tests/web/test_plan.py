"""Plans on pages: every step before anything is decided, how far they got afterwards, and stopping one midway."""

import pytest
from plans.errand import begun, calls_of, halfway, offer, proposed, seen, statuses
from upstream.composites import COPY, LOOK
from web_visitor import Visitor
from world import PASSWORD, World

from hub.invocations.resume import resume
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def test_the_approval_page_lists_the_steps_and_what_happens_if_one_fails(world: World, ann: Visitor) -> None:
    await offer(world)
    asked = await proposed(world)

    await ann.get(f"/approvals/{asked.id}")

    for words in (
        "Replace an item: 3 steps in upstream",
        "The plan: 3 steps, in this order",
        "1. Item put item_put in upstream",
        "3. Item update item_update in upstream",
        "id known after step 1, put",
        "quantity known after step 2, rename",
        "the steps before it are taken back in reverse",
        "items/40",
        "Checked on paper 1 of 5",
    ):
        assert words in ann.text, words
    assert "Allow calls like this in advance" not in ann.text


async def test_the_approval_page_shows_what_a_plan_has_read_and_where_it_flows(world: World, ann: Visitor) -> None:
    await offer(world, [LOOK, COPY])
    asked = await proposed(world)

    await ann.get(f"/approvals/{asked.id}")

    for words in (
        "What it has answered, as far as later steps use it",
        "/quantity 10",
        "quantity 10 read by step 1, look",
        "It is read again before the plan begins",
    ):
        assert words in ann.text, words
    (read, *_) = await calls_of(world, asked)
    await ann.get(f"/invocations/{read.id}")
    assert "This call is a step of a plan" in ann.text


async def test_the_page_of_a_plan_tells_how_far_it_got_and_stops_it(world: World, visitor: Visitor) -> None:
    plan = await halfway(world)
    await visitor.log_in("rita", PASSWORD)

    await visitor.get(f"/invocations/{plan.id}")
    assert "Being carried out" in visitor.text
    assert "1. put done" in visitor.text
    await visitor.submit(f"/invocations/{plan.id}/cancel", reason="not today")
    await visitor.follow()

    assert "Being taken back" in visitor.text
    assert (await seen(world, plan)).stop_reason == "it was called off: not today"
    await resume(plan.id, world.runtime)
    assert (await seen(world, plan)).state is State.UNDONE
    assert await statuses(world, plan) == ["taken_back", "ahead", "ahead"]


async def test_whoever_sees_a_plan_sees_the_calls_of_its_steps(world: World, ann: Visitor) -> None:
    plan = await begun(world)
    await resume(plan.id, world.runtime)

    await ann.get(f"/invocations/{plan.id}")
    (first, *_) = (await seen(world, plan)).progress
    await ann.get(f"/invocations/{first.invocation_id}")

    assert "This call is a step of a plan" in ann.text
