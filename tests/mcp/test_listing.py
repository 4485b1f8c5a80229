"""`tools/list`: what is on it, in which order, for whom, and page by page."""

import pytest
from doors.agents import BOTH_ENGINES, ERAS, Connect
from doors.many_tools import MANY, add_many_tools
from doors.working_hub import WorkingHub
from mcp import MCPError
from mcp_types import INVALID_PARAMS

from hub.mcp import listing
from hub.mcp.hub_tools import HUB_TOOLS
from hub.registry import (
    Environment,
    NewServer,
    Offer,
    create_server,
    find_tool,
    publish,
    quarantine,
)
from schemas import compile_schema

pytestmark = pytest.mark.anyio

OWN = ["item_delete", "item_find", "item_get", "item_put", "item_update", "note_post", "ticket_create"]


@ERAS
async def test_the_list_holds_the_hubs_tools_and_then_all_others_by_name(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        first = await client.list_tools()
        second = await client.list_tools()

    assert [tool.name for tool in first.tools] == [*HUB_TOOLS, *OWN]
    assert first.tools == second.tools
    assert first.next_cursor is None


async def test_the_list_may_be_kept_for_a_while_by_this_client_alone(connect: Connect) -> None:
    async with connect() as client:
        result = await client.list_tools()

    assert result.ttl_ms > 0
    assert result.cache_scope == "private"


@ERAS
async def test_a_tool_is_listed_with_its_envelope_and_its_hints(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    read, removal = tools["item_get"], tools["item_delete"]
    assert read.annotations is not None
    assert removal.annotations is not None
    assert (read.annotations.read_only_hint, read.annotations.destructive_hint) == (True, False)
    assert (removal.annotations.read_only_hint, removal.annotations.destructive_hint) == (False, True)
    assert removal.output_schema is not None
    envelope = compile_schema(removal.output_schema)
    assert envelope.is_valid({"id": 1})
    assert envelope.is_valid({"status": "pending_approval", "invocation_id": "inv_1", "poll_after_seconds": 30})
    assert not envelope.is_valid({"neither": "of them"})


async def test_scopes_of_the_token_at_hand_hide_nothing(hub: WorkingHub, connect: Connect) -> None:
    token = await hub.token(granted=frozenset({"upstream:read"}))
    async with connect(token=token) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]

    assert set(OWN) <= set(names)  # what is hidden could never be stepped up to


async def test_an_agent_is_listed_what_its_servers_hold_and_no_more(hub: WorkingHub, connect: Connect) -> None:
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        offer = Offer(server="sales", tool_id=tool.id, connection_id=hub.connection.id, as_name="look_up")
        await publish(tx, offer, hub.authority)
    seller = await hub.make_agent("seller", servers=frozenset({"sales"}))

    async with connect(token=await hub.token(of=seller, server="sales"), path="/servers/sales/mcp") as client:
        there = [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("look_up", {"id": 1})
    async with connect(token=await hub.token(of=seller)) as client:
        everywhere = [tool.name for tool in (await client.list_tools()).tools]

    assert there == [*HUB_TOOLS, "look_up"]
    assert not result.is_error
    assert everywhere == [*HUB_TOOLS, "item_get"]


async def test_what_is_held_back_is_listed_no_more(hub: WorkingHub, connect: Connect) -> None:
    async with connect() as client:
        before = [tool.name for tool in (await client.list_tools()).tools]
        async with hub.database.transaction() as tx:
            tool = await find_tool(tx, "upstream", "note_post")
            assert tool is not None
            await quarantine(tx, tool.id, "odd", hub.authority)
        after = [tool.name for tool in (await client.list_tools()).tools]

    assert set(before) - set(after) == {"note_post"}


@BOTH_ENGINES
async def test_a_long_list_comes_in_pages_without_a_gap(hub: WorkingHub, connect: Connect) -> None:
    await add_many_tools(hub)
    names, sizes, cursor = list[str](), list[int](), None
    async with connect() as client:
        while True:
            page = await client.list_tools(cursor=cursor)
            names += [tool.name for tool in page.tools]
            sizes.append(len(page.tools))
            cursor = page.next_cursor
            if cursor is None:
                break

    assert names == [*HUB_TOOLS, *OWN[:-1], *(f"thing_{number:03}" for number in range(MANY)), OWN[-1]]
    assert sizes == [listing.PAGE + len(HUB_TOOLS), listing.PAGE, len(OWN) + MANY - 2 * listing.PAGE]


@ERAS
async def test_a_cursor_is_good_for_whoever_it_was_given_to(hub: WorkingHub, connect: Connect, mode: str) -> None:
    await add_many_tools(hub)
    async with connect(mode=mode) as client:
        cursor = (await client.list_tools()).next_cursor
        assert cursor is not None
        await client.list_tools(cursor=cursor)
        with pytest.raises(MCPError) as forged:
            await client.list_tools(cursor=f"{cursor[:-4]}AAAA")
    async with connect(mode=mode, token=await hub.token(for_user=hub.people["owner"])) as client:
        with pytest.raises(MCPError) as foreign:
            await client.list_tools(cursor=cursor)

    assert forged.value.error.code == INVALID_PARAMS
    assert foreign.value.error == forged.value.error  # whose it is, nobody learns


@ERAS
async def test_the_server_says_who_it_is_and_how_writes_work(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        instructions = client.instructions
        info = client.server_info

    assert instructions is not None
    assert "hub_invocation_get" in instructions
    assert info is not None
    assert (info.name, info.title) == ("toolhub/everything", "Everything in dev")


def test_the_hubs_own_tools_have_strict_schemas_that_clients_can_read() -> None:
    for tool in HUB_TOOLS.values():
        description = tool.description
        assert description.input_schema["additionalProperties"] is False
        assert description.input_schema["type"] == "object"
        assert description.output_schema is not None
        assert description.output_schema["type"] == "object"
        assert len(description.description or "") < 1024
        compile_schema(description.output_schema)
