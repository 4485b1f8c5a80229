"""Who answers for tools and connections: given to somebody else on their pages, by who may, to people alone."""

import pytest
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import EventKind
from hub.audit.reading import events_of
from hub.identity.accounts import suspend
from hub.identity.directory import find
from hub.registry import find_tool, get_connection, set_tool_owner

pytestmark = pytest.mark.anyio

AGENTS = "/people/agents"
TOOL = "/servers/everything/tools/item_get"


async def test_a_new_agent_is_its_makers_unless_somebody_else_is_named(world: World, root: Visitor) -> None:
    for name, typed in (("mine", {}), ("theirs", {"owner": " Carl "})):
        await root.get("/people")
        await root.submit(AGENTS, name=name, display_name=name, **typed)
        assert root.page.status_code == 303

    async with world.runtime.database.reading() as tx:
        owned = [await find(tx, name) for name in ("mine", "theirs")]
    assert [one.owner_id for one in owned if one] == [world.ann.id, world.carl.id]

    await root.get("/people")
    await root.submit(AGENTS, name="nobodys", display_name="x", owner="bot")
    assert root.page.status_code == 400
    assert ("owner", "bot") in root.form(AGENTS).fields


async def test_an_agent_is_given_to_somebody_on_record(world: World, root: Visitor) -> None:
    page = f"/people/{world.bot.id}"
    await root.get(page)

    await root.submit(f"{page}/owner", owner="carl")
    await root.follow()

    assert "The agent has another owner." in root.text
    assert "Owner Carl" in root.text
    async with world.runtime.database.reading() as tx:
        kept = await events_of(tx, world.bot.id)
        facts = [one.facts for one in kept if one.kind is EventKind.AGENT_CHANGED]
    assert facts == [{"changed": "owner", "before": world.rita.id, "after": world.carl.id}]


async def test_a_tool_is_given_to_somebody_who_may_give_it_away_in_turn(world: World, root: Visitor) -> None:
    await root.get(TOOL)

    await root.submit(f"{TOOL}/owner", owner=" Carl ")
    await root.follow()

    assert "The tool has another owner." in root.text
    assert "Owner Carl" in root.text
    async with browser_of(world.runtime) as carl:
        await carl.log_in("carl", PASSWORD)
        await carl.get(TOOL)
        assert (await carl.submit(f"{TOOL}/owner", owner="rita")).status_code == 303
        await carl.follow()
        assert f"{TOOL}/owner" not in carl.html


async def test_a_connection_is_given_to_somebody_and_grows_a_generation(world: World, root: Visitor) -> None:
    page = f"/connections/{world.connection_id}"
    async with world.runtime.database.reading() as tx:
        before = await get_connection(tx, world.connection_id)
    await root.get(page)

    await root.submit(f"{page}/owner", owner="carl")
    await root.follow()

    assert "The connection has another owner." in root.text
    async with world.runtime.database.reading() as tx:
        after = await get_connection(tx, world.connection_id)
    assert (after.owner_id, after.generation) == (world.carl.id, before.generation + 1)


@pytest.mark.parametrize("name", ["nobody", "bot", "rita"], ids=("unknown", "agent", "suspended"))
async def test_only_people_who_may_act_answer_for_something(world: World, root: Visitor, name: str) -> None:
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.rita.id, "left", world.runtime.authority)

    for page in (TOOL, f"/connections/{world.connection_id}", f"/people/{world.bot.id}"):
        await root.get(page)
        await root.submit(f"{page}/owner", owner=name)
        assert root.page.status_code == 400
        assert root.html.count('role="alert"') == 1


async def test_nobody_else_gives_away_what_is_not_theirs(world: World, ann: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await set_tool_owner(tx, tool.id, world.carl.id, world.runtime.authority)
    await ann.get(TOOL)
    assert "/owner" not in ann.html

    token = ann.form("/logout").fields
    pages = ((TOOL, 403), (f"/connections/{world.connection_id}", 404), (f"/people/{world.bot.id}", 403))
    for page, status in pages:
        assert (await ann.post(f"{page}/owner", [*token, ("owner", "ann")])).status_code == status
