"""What the approval page says beside the change: what nobody may decide, what is stopped, what its values come from."""

import pytest
from web_visitor import Visitor
from world import World, caller_for

from hub.budgets import StopKind, set_stop
from hub.invocations.queries import current
from hub.invocations.states import State

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


async def test_what_a_kill_switch_holds_back_says_so_and_why_and_can_be_rejected_alone(
    world: World, ann: Visitor
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    page = f"/approvals/{asked.id}"
    await ann.get(page)
    form = ann.form(page)
    assert 'value="approve"' in ann.html
    async with world.runtime.database.transaction() as tx:
        await set_stop(tx, StopKind.HUB, "", "We look into it.", world.runtime.authority)

    await ann.post(page, [*form.fields, ("decision", "approve")])  # from the page as it stood before
    refused, problem = ann.page.status_code, ann.text
    await ann.get(page)

    assert refused == 403
    for shown in (problem, ann.text):
        assert "A kill switch is on The hub is stopped: We look into it." in shown
        assert "Policy does not let you approve this." in shown
    assert 'value="approve"' not in ann.html
    assert "Propose other arguments" not in ann.text
    await ann.submit(page, decision="reject", reason="Not while it is stopped.")
    assert (await current(world.runtime, asked.id)).state is State.REJECTED
