"""Limits of what is mine over the API: what the page shows its visitor, and nothing of others."""

import pytest
from doors.people import LogIn
from doors.working_hub import WorkingHub

from hub.invocations.invoke import invoke
from hub.invocations.values import Call
from hub.registry import set_tool_owner

pytestmark = pytest.mark.anyio


async def test_an_owner_lists_the_limits_of_what_is_theirs_with_what_is_used(hub: WorkingHub, log_in: LogIn) -> None:
    async with hub.database.transaction() as tx:
        tool, other = await hub.tool(tx, "item_get"), await hub.tool(tx, "item_put")
        await set_tool_owner(tx, tool.id, hub.people["controller"].id, hub.authority)
    owner, administrator, stranger = await log_in("controller"), await log_in("administrator"), await log_in("approver")
    mine = {"per": "tool", "subject": tool.id, "measure": "calls", "amount": 3, "seconds": 86_400}
    assert (await owner.send("POST", "/limits", mine)).status_code == 201
    for more in ({**mine, "subject": ""}, {**mine, "subject": other.id}, {**mine, "per": "server", "subject": ""}):
        assert (await administrator.send("POST", "/limits", more)).status_code == 201
    call = Call(caller=hub.caller, server="everything", tool="item_get", arguments={"id": 1}, trace_id="0" * 32)
    await invoke(call, hub.runtime)

    listed = (await owner.get("/limits/own")).json()["items"]

    told = [(one["subject"], one["amount"], one["used"], one["used_by"], one["may_change"]) for one in listed]
    assert told == [(tool.id, 3, 1, tool.id, True), ("", 3, 1, tool.id, False)]
    assert all(one["frees_at"] for one in listed)
    assert (await stranger.get("/limits/own")).json() == {"items": []}
