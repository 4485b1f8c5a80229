"""One server on its page: looked at by everybody, changed by those who look after it, by two of them in prod."""

import pytest
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.registry import (
    DefinedTool,
    Environment,
    ServerDefinition,
    define_server,
    definition_of,
    get_connection,
    quarantine,
    find_tool,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def root(world: World, ann: Visitor) -> Visitor:
    """Ann, who has been made administrator, and a server with one tool."""
    async with world.runtime.database.transaction() as tx:
        for person in (world.ann, world.carl):
            await set_roles(tx, person.id, frozenset({Role.ADMINISTRATOR, Role.MEMBER}), world.runtime.authority)
        connection = await get_connection(tx, world.connection_id)
        tools = (DefinedTool(tool="item_get", connection=connection.name),)
        desk = ServerDefinition(name="desk", environment=Environment.DEV, title="Desk", tools=tools)
        await define_server(tx, desk, world.runtime.authority)
    return ann


async def defined(world: World, name: str) -> ServerDefinition | None:
    async with world.runtime.database.reading() as tx:
        return await definition_of(tx, name)


async def test_a_server_is_looked_at_and_changed_piece_by_piece(world: World, root: Visitor) -> None:
    await root.get("/servers")
    assert 'href="/servers/desk"' in root.html
    await root.get("/servers/desk")
    assert "http://127.0.0.1:8420/servers/desk/mcp" in root.text

    await root.submit("/servers/desk", nth=0, action="rename", entry="item_get", name="look_up")
    await root.follow()
    found = await defined(world, "desk")

    assert found is not None
    assert list(found.by_name()) == ["look_up"]


async def test_a_tool_that_is_not_offered_now_says_why(world: World, root: Visitor) -> None:
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await quarantine(tx, tool.id, "It wrote in a preview.", world.runtime.authority)

    await root.get("/servers/desk")

    assert "not offered" in root.text
    assert "It wrote in a preview." in root.text


async def test_whoever_does_not_look_after_it_sees_no_forms_and_changes_nothing(world: World, root: Visitor) -> None:
    del root
    async with browser_of(world) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get("/servers/desk")

        assert "Put a tool on it" not in rita.text
        assert "Make a server" not in (await rita.get("/servers")).text


async def test_nobody_sees_a_server_that_is_not_there(world: World, root: Visitor) -> None:
    del world
    assert (await root.get("/servers/nowhere")).status_code == 404
