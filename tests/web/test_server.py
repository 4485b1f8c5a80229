"""One server on its page: looked at by everybody, changed by those who look after it, by two of them in prod."""

import re

import pytest
from web_visitor import Visitor, browser_of
from world import PASSWORD, World

from hub.audit import events_of
from hub.identity.accounts import set_roles
from hub.identity.principals import Role
from hub.registry import (
    DefinedTool,
    Environment,
    Listing,
    ServerDefinition,
    define_server,
    definition_of,
    find_tool,
    get_connection,
    quarantine,
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

    await root.submit("/servers/desk/rename", name="look_up")
    await root.follow()
    await root.submit("/servers/desk/add", tools="upstream item_find", name="search")
    await root.follow()
    assert "Saved." in root.text
    await root.submit("/servers/desk/settings", title="Front desk", listing="search", groups=["approvers"])
    await root.follow()
    changed = await defined(world, "desk")
    await root.post("/servers/desk/remove", [*root.form("/servers/desk/rename").fields])
    await root.follow()
    left = await defined(world, "desk")

    assert changed is not None
    assert sorted(changed.by_name()) == ["look_up", "search"]
    assert (changed.title, changed.listing, changed.groups) == ("Front desk", Listing.SEARCH, ("approvers",))
    assert left is not None
    assert list(left.by_name()) == ["search"]


async def test_a_tool_is_kept_for_clients_that_know_tasks_and_opened_to_all_again(world: World, root: Visitor) -> None:
    await root.get("/servers/desk")
    await root.submit("/servers/desk/add", tools="upstream item_find", name="search", needs_tasks="yes")
    await root.follow()
    added = await defined(world, "desk")
    assert "offered to clients that know tasks" in root.text
    other = await clients_of(world, root, "item_get", "with tasks")
    back = await clients_of(world, root, "search", "all")

    assert added is not None
    assert added.by_name()["search"].needs_tasks
    assert other == {"item_get", "search"}
    assert back == {"item_get"}


async def clients_of(world: World, root: Visitor, entry: str, clients: str) -> set[str]:
    """Say who may call a tool, and return those that only clients may call that know tasks."""
    assert f'value="{clients}"' in root.html
    fields = [(name, value) for name, value in root.form("/servers/desk/rename").fields if name == "csrf_token"]
    await root.post("/servers/desk/clients", [*fields, ("entry", entry), ("clients", clients)])
    await root.follow()
    found = await defined(world, "desk")
    assert found is not None
    return {one.published_name for one in found.tools if one.needs_tasks}


async def test_several_tools_are_ticked_in_a_list_and_put_on_at_once_as_one_event(world: World, root: Visitor) -> None:
    await root.get("/servers/desk")
    offered = re.findall(r'name="tools" value="upstream (\w+)"', root.html)
    assert {"item_find", "item_put", "ticket_create"} <= {*offered}
    assert "item_get" not in offered

    await root.submit("/servers/desk/add", tools=["upstream item_find", "upstream ticket_create"])
    await root.follow()

    changed = await defined(world, "desk")
    assert changed is not None
    assert set(changed.by_name()) == {"item_get", "item_find", "ticket_create"}
    async with world.runtime.database.reading() as tx:
        events = [one for one in await events_of(tx, "desk") if one.actor == world.ann.id]
    assert [len(one.facts["differences"]) for one in events] == [2]
    assert not {"item_find", "ticket_create"} & {*re.findall(r'name="tools" value="upstream (\w+)"', root.html)}


async def test_tools_are_found_by_words_without_a_script_and_what_is_ticked_stays_so(
    world: World, root: Visitor
) -> None:
    await root.get("/servers/desk")
    assert 'formaction="/servers/desk/find"' in root.html
    typed = [field for field in root.form("/servers/desk/add").fields if field[0] not in {"find", "tools", "name"}]
    ticked, name = ("tools", "upstream item_put"), ("name", "put")

    await root.post("/servers/desk/find", [*typed, ticked, name, ("find", "ticket")])

    assert root.page.status_code == 200
    found = re.findall(r'name="tools" value="upstream (\w+)"', root.html)
    assert found[:2] == ["item_put", "ticket_create"]
    assert "item_delete" not in found
    assert {ticked, name, ("find", "ticket")} <= {*root.form("/servers/desk/add").fields}
    await root.post("/servers/desk/find", [*typed, ("find", "fly to the moon")])
    assert "No other tool is like that." in root.text
    unchanged = await defined(world, "desk")
    assert unchanged is not None
    assert list(unchanged.by_name()) == ["item_get"]


async def test_what_cannot_be_is_told_on_the_page(world: World, root: Visitor) -> None:
    await root.get("/servers/desk")

    await root.submit("/servers/desk/add", tools="upstream nothing")

    assert root.page.status_code == 400
    assert "has no tool" in root.text
    await root.submit("/servers/desk/add", tools="upstream Not A Tool")
    assert root.page.status_code == 400
    await root.submit("/servers/desk/add", tools=[])
    assert root.page.status_code == 400
    assert "Tick what is to be put on it." in root.text
    await root.submit("/servers/desk/add", tools=["upstream item_find", "upstream item_put"], name="both", find="item")
    assert root.page.status_code == 400
    assert "Another name is for one tool" in root.text
    kept = root.form("/servers/desk/add").fields
    assert [value for name, value in kept if name == "tools"] == ["upstream item_find", "upstream item_put"]
    assert {("name", "both"), ("find", "item")} <= {*kept}
    found = await defined(world, "desk")
    assert found is not None
    assert len(found.tools) == 1


async def test_a_server_is_made_and_retired(world: World, root: Visitor) -> None:
    await root.get("/servers")
    await root.submit("/servers", name="till", title="Till", environment="dev")
    await root.follow()
    assert "Nothing is on it yet." in root.text
    await root.submit("/servers/till/retire", reason="Nobody uses it.")
    await root.follow()
    assert "till is retired." in root.text
    await root.submit("/servers", name="till", title="Till", environment="dev")
    assert "its name stays taken" in root.text
    await root.submit("/servers", name="Not a name", title="Till", environment="dev")

    assert root.page.status_code == 400
    assert await defined(world, "till") is None


async def test_in_prod_another_person_publishes_what_one_has_proposed(world: World, root: Visitor) -> None:
    await root.get("/servers")
    await root.submit("/servers", name="counter", title="Counter", environment="prod", reason="It is time.")
    await root.follow()
    assert "Proposed for counter" in root.text
    assert "Publish it" not in root.text
    assert await defined(world, "counter") is None
    carl = browser_of(world.runtime)
    async with carl:
        await carl.log_in("carl", PASSWORD)
        await carl.get("/servers")
        action = next(line for line in carl.html.split('"') if line.startswith("/server-proposals/"))

        await carl.submit(action, choice="publish")
        await carl.follow()

        assert "Published." in carl.text
    assert await defined(world, "counter") is not None


async def test_a_proposal_is_rejected_with_a_reason(world: World, root: Visitor) -> None:
    await root.get("/servers")
    await root.submit("/servers", name="counter", title="Counter", environment="prod", reason="It is time.")
    await root.follow()
    action = next(line for line in root.html.split('"') if line.startswith("/server-proposals/"))

    await root.submit(action, choice="reject", reason="")
    await root.follow()
    assert "Say why not" in root.text
    await root.submit(action, choice="reject", reason="Too early.")
    await root.follow()

    assert "Proposed for counter" not in root.text
    assert await defined(world, "counter") is None


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
    async with browser_of(world.runtime) as rita:
        await rita.log_in("rita", PASSWORD)
        await rita.get("/servers/desk")

        assert "Put tools on it" not in rita.text
        assert "Make a server" not in (await rita.get("/servers")).text


async def test_nobody_sees_a_server_that_is_not_there(world: World, root: Visitor) -> None:
    del world
    assert (await root.get("/servers/nowhere")).status_code == 404
