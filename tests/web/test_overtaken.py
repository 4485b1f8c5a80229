"""What a page says of a vote on a question that another release has overtaken: that it counts for nothing."""

from collections.abc import AsyncGenerator

import pytest
from upstream.connector import connector
from web_visitor import Visitor
from world import World

from connectors.sdk.vocabulary import Tier
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.registry import find_tool, register_connector, set_owner_tier
from hub.storage import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """Both engines: votes race and count differently on each."""
    opened = Database(database_url)
    yield opened
    await opened.close()


async def test_a_vote_on_what_a_release_has_overtaken_is_told_to_be_none(world: World, ann: Visitor) -> None:
    asked = await world.call("item_delete", {"id": 1})
    page = f"/approvals/{asked.id}"
    await ann.get(page)
    fields = [*ann.form(page).fields, ("decision", "approve")]
    await release_anew(world)

    await ann.post(page, fields)

    assert ann.page.status_code == 409
    assert "Overtaken" in ann.text
    assert "closed; no more votes are counted" in ann.text
    assert "is on record" not in ann.text
    assert (await current(world.runtime, asked.id)).state is State.STALE
    await ann.get("/approvals")
    assert asked.id not in ann.html


async def test_a_vote_that_was_counted_first_is_told_to_count_no_more(world: World, ann: Visitor) -> None:
    await make_critical(world)
    asked = await world.call("item_delete", {"id": 1})
    page = f"/approvals/{asked.id}"
    await ann.get(page)
    await ann.post(page, [*ann.form(page).fields, ("decision", "approve")])
    await release_anew(world)

    await ann.follow()

    assert "Overtaken No vote on it counts any more; it is previewed again." in ann.text
    assert "You agreed, and something has changed since then, so that counts no more." in ann.text
    assert "is on record" not in ann.text
    await resume(asked.id, world.runtime)
    await ann.get(page)
    assert "No vote on it counts any more" not in ann.text
    assert ann.form(page)


async def release_anew(world: World) -> None:
    """Put a release in use that words the tool of the question otherwise."""
    release = connector.spec.model_copy(
        update={
            "version": "1.0.1",
            "operations": tuple(
                one.model_copy(update={"description": f"{one.description} For good."})
                for one in connector.spec.operations
            ),
        }
    )
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, release, world.runtime.authority)


async def make_critical(world: World) -> None:
    """Let the tool's owner set it to critical, which asks two groups and a fresh login."""
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_delete")
        assert tool is not None
        await set_owner_tier(tx, tool.id, Tier.CRITICAL, world.runtime.authority)
