"""What the approval page says beside the change: that nobody may decide it, and where its values were looked for."""

import pytest
from web_visitor import Visitor
from world import World, caller_for

pytestmark = pytest.mark.anyio


async def test_the_page_says_that_nobody_else_may_decide(world: World, ann: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1}, caller=caller_for(world.bot, world.ann))

    for page in (f"/approvals/{asked.id}", f"/invocations/{asked.id}"):
        await ann.get(page)
        assert "Nobody else is in approvers now. It waits until an administrator adds somebody" in ann.text


async def test_values_are_said_to_be_unseen_only_where_the_run_was_looked_through(world: World, ann: Visitor) -> None:
    without = await world.call("item_delete", {"id": 1})
    within = await world.call("item_delete", {"id": 1}, run="r1")

    await ann.get(f"/approvals/{without.id}")
    assert "not looked for The agent names no run" in ann.text
    await ann.get(f"/approvals/{within.id}")
    assert "not seen in this run No result of this run" in ann.text
