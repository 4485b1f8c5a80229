"""Tools of federated servers among all others: who searches is promised no preview of what has none."""

import pytest
from doors.agents import Connect
from pins.noted import SCOPES, Notes

pytestmark = pytest.mark.anyio


async def test_of_what_cannot_be_previewed_no_preview_is_promised(notes: Notes, connect: Connect) -> None:
    async with connect(token=await notes.hub.token(granted=SCOPES)) as client:
        found = await client.call_tool("hub_find_tools", {"query": "post a note, open a ticket", "limit": 20})

    assert found.structured_content is not None
    told = {tool["name"]: tool["approval"] for tool in found.structured_content["tools"]}
    assert "Its effect is previewed first" in told["ticket_create"]
    assert "sees the arguments, and no preview" in told["post"]
    assert "previewed first" not in told["post"]
