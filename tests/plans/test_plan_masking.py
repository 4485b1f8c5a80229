"""Data classes in plans: each step is masked as a call of its own tool, in the preview and in the question."""

from collections.abc import AsyncGenerator

import pytest
from personal import MARKER, NOT_AGENTS, NOT_APPROVERS, caller_of, open_personal
from upstream.composites import COPY, LOOK, changed
from upstream.fixtures import Upstream
from world import World

from hub.dryrun import PlanPreview
from hub.invocations.masking import as_seen_by
from hub.invocations.states import State
from hub.keys import Keyring
from hub.storage import Database
from plans.errand import approved, items, offer, proposed, seen, settle

pytestmark = pytest.mark.anyio

NAMED = changed(COPY, name={"$from": "/steps/look/name"})
"""A step that writes a name which the plan has read."""


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """SQLite: nothing here has to do with the engine."""
    return sqlite_url


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """The names of items are personal."""
    async with open_personal(database, keys, upstream) as opened:
        yield opened


async def test_steps_are_masked_in_preview_and_question_and_keep_what_may_be_seen(world: World) -> None:
    await offer(world)
    await world.decide_by(NOT_APPROVERS)
    asked = await proposed(world, name="Ada Lovelace")
    assert asked.state is State.AWAITING_APPROVAL, asked.error_message

    seen = await as_seen_by(caller_of(world.ann), asked, world.runtime)

    assert "Ada Lovelace" in f"{asked.preview}"
    assert "Ada Lovelace" in f"{asked.question}"
    for name in ("Ada Lovelace", "pencil"):
        assert name not in f"{seen.preview}{seen.question}{seen.arguments}"
    assert seen.preview is not None
    assert seen.question is not None
    plan = seen.preview.preview
    assert isinstance(plan, PlanPreview)
    put, told = plan.steps[0], seen.question.summary["steps"][0]
    assert (put.arguments["name"], put.arguments["id"]) == (MARKER, 40)
    assert told["arguments"] == dict(put.arguments)
    assert [change.target for change in plan.changes] == [one["target"] for one in seen.question.summary["changes"]]
    assert seen.masked == ("personal",)


async def test_whoever_may_see_the_class_sees_a_plan_whole(world: World) -> None:
    await offer(world)
    await world.decide_by(NOT_APPROVERS)
    asked = await proposed(world, name="Ada Lovelace")

    assert await as_seen_by(caller_of(world.rita), asked, world.runtime) == asked


async def test_a_value_that_the_agent_may_not_see_flows_into_no_write(world: World) -> None:
    await offer(world, [LOOK, NAMED])
    await world.decide_by(NOT_AGENTS)

    refused = await proposed(world)

    assert (refused.state, refused.error_code) == (State.PREVIEW_FAILED, "masked_value")
    assert refused.error_message == ("Step 1, look: you may not see /name, so no step can use it. Nothing was changed.")
    assert "pencil" not in f"{refused}"


async def test_what_the_agent_may_see_of_a_masked_answer_flows_on(world: World) -> None:
    await offer(world, [LOOK, COPY])
    await world.decide_by(NOT_AGENTS)

    asked = await proposed(world)

    assert asked.state is State.AWAITING_APPROVAL, asked.error_message
    assert asked.preview is not None
    assert isinstance(asked.preview.preview, PlanPreview)
    assert asked.preview.preview.steps[0].answer == {"quantity": 10}


async def test_a_value_that_is_hidden_by_now_keeps_an_approved_plan_from_beginning(world: World) -> None:
    await offer(world, [LOOK, NAMED])
    plan = await approved(world)
    await world.decide_by(NOT_AGENTS)

    await settle(world)

    assert (await seen(world, plan)).error_code == "masked_value"
    assert 40 not in items(world)


async def test_what_a_plan_has_read_is_masked_for_whoever_looks(world: World) -> None:
    await offer(world, [LOOK, NAMED])
    await world.decide_by(NOT_APPROVERS)
    asked = await proposed(world)
    assert asked.state is State.AWAITING_APPROVAL, asked.error_message

    shown = await as_seen_by(caller_of(world.ann), asked, world.runtime)

    assert asked.preview is not None
    assert isinstance(asked.preview.preview, PlanPreview)
    assert asked.preview.preview.steps[0].answer == {"name": "pencil", "quantity": 10}
    assert "pencil" not in f"{shown.preview}{shown.question}{shown.arguments}"
    assert shown.question is not None
    assert shown.question.summary["steps"][0]["answer"] == {"name": MARKER, "quantity": 10}
