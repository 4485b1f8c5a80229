"""What a suspended agent has proposed: its pages say so before somebody decides, and it can only be rejected."""

import pytest
from web_visitor import Visitor
from world import World

from hub.identity.accounts import suspend
from hub.invocations.queries import current
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def test_what_a_suspended_agent_proposed_says_so_before_somebody_decides(world: World, ann: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1})
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
