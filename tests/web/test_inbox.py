"""The list of what waits for somebody: enough on each line to know what it is about before it is opened."""

import re

import pytest
from web_visitor import Visitor
from world import World

pytestmark = pytest.mark.anyio


async def test_the_list_tells_before_and_after_where_and_which_change_the_same_record(
    world: World, ann: Visitor
) -> None:
    world.upstream.store.rows("INSERT INTO item VALUES (2, 'eraser', 77, 1)")
    first, second = [await world.call("item_delete", {"id": 1}, run=run) for run in ("r1", "r2")]
    await world.call("item_delete", {"id": 2})
    await world.call("item_put", {"id": 40, "name": "ruler", "quantity": 600_000})

    await ann.get("/approvals")

    for words in ("item_delete in dev", "Name : pencil → becomes not there", "Name : not there → becomes ruler"):
        assert words in ann.text, words
    assert ann.text.count("Same record") == 1
    assert len(re.findall(f'Another one above <a href="/approvals/(?:{first.id}|{second.id})">', ann.html)) == 1
