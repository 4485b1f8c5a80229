"""What a suspended agent has proposed: its pages say so before somebody decides, and it can only be rejected.

What it has proposed in the name of a person ends with the leave to act for them.
"""

from dataclasses import replace

import pytest
from web_visitor import Visitor
from world import World

from hub.identity.accounts import suspend
from hub.invocations.queries import current
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def test_what_a_suspended_agent_proposed_says_so_before_somebody_decides(world: World, ann: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1}, caller=replace(world.caller, on_behalf_of=None))
    page = f"/approvals/{asked.id}"
    for path in ("/approvals", page):
        await ann.get(path)
        assert "suspended" not in ann.text
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.bot.id, "strange behaviour", world.runtime.authority)

    await ann.get("/approvals")
    assert "Agent suspended" in ann.text
    await ann.get(page)
    assert "The agent is suspended, so this cannot be approved now." in ann.text
    assert 'value="approve"' not in ann.html
    await ann.submit(page, decision="approve")
    assert ann.page.status_code == 403
    assert "Policy does not let you approve this." in ann.text
    await ann.submit(page, decision="reject", reason="Its agent is suspended.")

    assert (await current(world.runtime, asked.id)).state is State.REJECTED


async def test_what_it_proposed_for_a_person_has_ended_and_says_why(world: World, ann: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1})
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.bot.id, "strange behaviour", world.runtime.authority)

    await ann.get(f"/approvals/{asked.id}")

    assert "This question is closed; no more votes are counted. Bot is suspended." in ann.text
    assert 'value="reject"' not in ann.html
    assert "previewed again" not in ann.text
    assert (await current(world.runtime, asked.id)).state is State.EXPIRED
