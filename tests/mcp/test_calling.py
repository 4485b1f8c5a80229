"""`tools/call` through the whole governed path, with clients of both eras."""

import json

import pytest
from doors.agents import Connect

pytestmark = pytest.mark.anyio
ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


@ERAS
async def test_a_read_answers_with_the_tools_own_result(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("item_get", {"id": 1})

    assert not result.is_error
    assert result.structured_content == {"id": 1, "name": "pencil", "quantity": 10, "version": 1}
    assert [json.loads(block.text) for block in result.content] == [result.structured_content]
