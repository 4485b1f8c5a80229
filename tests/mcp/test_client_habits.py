"""What clients are known to do, and what the hub makes of it."""

from typing import Any

import pytest
from doors.agents import Connect
from doors.working_hub import WorkingHub

pytestmark = pytest.mark.anyio


async def test_null_for_an_argument_that_takes_none_is_as_if_it_had_been_left_out(
    hub: WorkingHub, connect: Connect
) -> None:
    async with connect() as client:
        given = (await client.call_tool("item_update", {"id": 1, "name": None, "quantity": 9})).structured_content
        again = (await client.call_tool("item_update", {"id": 1, "quantity": 9})).structured_content
        mine: Any = (
            await client.call_tool("hub_invocations_mine", {"status": None, "cursor": None})
        ).structured_content

    assert given == again == {"id": 1, "name": "pencil", "quantity": 9, "version": 2}
    assert len(mine["invocations"]) == 1
    assert len(hub.upstream.store.effects()) == 1
