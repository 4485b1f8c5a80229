"""`hub_find_tools` and `hub_call_tool`: what they find for whom, and that a call through them is like any other."""

import json
from typing import Any

import httpx2
import pytest
from doors.agents import ERAS, Connect
from doors.many_tools import add_many_tools, many_tools
from doors.working_hub import ALL_SCOPES, WorkingHub
from mcp import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult
from sqlalchemy import select, update

from hub.audit import events_of
from hub.invocations.tables import InvocationRow
from hub.mcp.hub_tools import HUB_TOOLS
from hub.registry import (
    MOST_LISTED,
    Environment,
    Listing,
    NewServer,
    Offer,
    create_server,
    find_tool,
    publish,
    register_connector,
)
from hub.registry.stewardship import outdate_catalog
from hub.registry.tables import ServerRow

pytestmark = pytest.mark.anyio

OWN = {"item_delete", "item_find", "item_get", "item_put", "item_update", "note_post", "ticket_create"}
SEARCH = ["hub_find_tools", "hub_call_tool"]


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if block.type == "text")


def structured(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def list_by(hub: WorkingHub, listing: Listing, server: str = "everything-dev") -> None:
    async with hub.database.transaction() as tx:
        await outdate_catalog(tx, hub.authority)
        await tx.execute(update(ServerRow).where(ServerRow.name == server).values(listing=listing.value))


async def put_on_sales(hub: WorkingHub, *names: str) -> None:
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        for name in names:
            tool = await find_tool(tx, "upstream", name)
            assert tool is not None
            offer = Offer(server="sales", tool_id=tool.id, connection_id=hub.connection.id)
            await publish(tx, offer, hub.authority)


async def rows(hub: WorkingHub) -> list[InvocationRow]:
    async with hub.database.reading() as tx:
        return list((await tx.scalars(select(InvocationRow).order_by(InvocationRow.id))).all())


@ERAS
async def test_a_tool_is_found_by_what_it_does_with_all_that_it_takes_to_call_it(connect: Connect, mode: str) -> None:
    async with connect(mode=mode) as client:
        result = await client.call_tool("hub_find_tools", {"query": "open a support ticket", "limit": 2})

    tools = structured(result)["tools"]
    assert tools[0]["name"] == "ticket_create"
    assert tools[0]["input_schema"]["properties"]["title"]["type"] == "string"
    assert (tools[0]["effect"], tools[0]["tier"]) == ("create", "high")
    assert tools[0]["approval"].startswith("Yes")
    assert tools[0]["needed_scopes"] == ["upstream:write"]
    assert len(tools) <= 2
    assert json.loads(text_of(result)) == structured(result)


async def test_a_question_in_chinese_finds_tools_too(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("hub_find_tools", {"query": "创建工单"})

    assert structured(result)["tools"][0]["name"] == "ticket_create"


async def test_what_nothing_fits_is_told_in_words(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("hub_find_tools", {"query": "xylophone"})

    assert structured(result)["tools"] == []
    assert "other words" in structured(result)["message"]
    assert not result.is_error


@pytest.mark.parametrize(
    "arguments",
    [{}, {"query": ""}, {"query": "a" * 501}, {"query": "a", "limit": 51}, {"query": "a", "limit": 0}, {"q": "a"}],
    ids=["nothing", "empty", "long", "many", "none", "other"],
)
async def test_a_search_that_breaks_its_schema_is_told_where(connect: Connect, arguments: dict[str, Any]) -> None:
    async with connect() as client:
        result = await client.call_tool("hub_find_tools", arguments)

    assert result.is_error
    assert structured(result)["reason_code"] == "arguments_invalid"
    assert structured(result)["violations"]


@ERAS
async def test_a_call_through_the_hub_differs_on_record_only_in_how_it_came(
    hub: WorkingHub, connect: Connect, mode: str
) -> None:
    async with connect(mode=mode) as client:
        direct = await client.call_tool("item_get", {"id": 1})
        through = await client.call_tool("hub_call_tool", {"name": "item_get", "arguments": {"id": 1}})

    assert through.structured_content == direct.structured_content
    first, second = await rows(hub)
    own = {"id", "created_at", "updated_at", "trace_id", "last_event_id", "latency_ms"}
    columns = {column.name for column in InvocationRow.__table__.columns} - own
    assert {name: getattr(first, name) for name in columns} == {name: getattr(second, name) for name in columns}
    async with hub.database.reading() as tx:
        came = [(await events_of(tx, one.id))[0].facts.get("through") for one in (first, second)]
    assert came == [None, "hub_call_tool"]


async def test_a_write_through_the_hub_waits_like_any_other_and_is_the_same_call(
    hub: WorkingHub, connect: Connect
) -> None:
    async with connect() as client:
        through = await client.call_tool(
            "hub_call_tool", {"name": "ticket_create", "arguments": {"title": "The pencil broke"}}
        )
        direct = await client.call_tool("ticket_create", {"title": "The pencil broke"})

    assert structured(through)["status"] == "pending_approval"
    assert structured(direct)["invocation_id"] == structured(through)["invocation_id"]
    assert len(await rows(hub)) == 1
    assert hub.upstream.store.effects() == []


async def test_arguments_of_the_tool_are_checked_by_its_own_schema(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("hub_call_tool", {"name": "item_get", "arguments": {"id": "seven"}})

    assert structured(result)["violations"][0]["pointer"] == "/id"


async def test_a_missing_scope_is_challenged_for_the_tool_behind_it(hub: WorkingHub, http: httpx2.AsyncClient) -> None:
    token = await hub.token(granted=frozenset({"upstream:read"}))

    params = {"name": "hub_call_tool", "arguments": {"name": "item_update", "arguments": {"id": 1, "quantity": 2}}}
    response = await http.post(
        "/mcp",
        json={"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params},
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"},
    )

    assert response.status_code == 403
    assert 'scope="upstream:write"' in response.headers["www-authenticate"]
    assert hub.upstream.store.effects() == []


@pytest.mark.parametrize("name", [*SEARCH, *HUB_TOOLS])
async def test_no_tool_of_the_hub_is_called_through_another(connect: Connect, name: str) -> None:
    async with connect() as client:
        result = await client.call_tool("hub_call_tool", {"name": name, "arguments": {"query": "a"}})

    assert result.is_error
    assert "by its own name" in text_of(result)


async def test_what_an_agent_may_not_use_is_neither_found_nor_told_from_what_does_not_exist(
    hub: WorkingHub, connect: Connect
) -> None:
    await put_on_sales(hub, "item_get")
    seller = await hub.make_agent("seller", servers=frozenset({"sales"}))

    async with connect(token=await hub.token(of=seller)) as client:
        found = await client.call_tool("hub_find_tools", {"query": "ticket create item get"})
        forbidden = await client.call_tool("hub_call_tool", {"name": "ticket_create", "arguments": {"title": "a"}})
        unknown = await client.call_tool("hub_call_tool", {"name": "ticket_crease", "arguments": {"title": "a"}})

    assert [tool["name"] for tool in structured(found)["tools"]] == ["item_get"]
    assert text_of(forbidden).replace("ticket_create", "ticket_crease") == text_of(unknown)


async def test_a_search_may_be_bounded_to_what_another_server_offers_too(hub: WorkingHub, connect: Connect) -> None:
    await put_on_sales(hub, "item_get")
    both = await hub.make_agent("both", servers=frozenset({"sales", "everything"}))
    one = await hub.make_agent("one", servers=frozenset({"everything"}))
    asked = {"query": "item", "server": "sales"}

    async with connect(token=await hub.token(of=both)) as client:
        within = await client.call_tool("hub_find_tools", asked)
    async with connect(token=await hub.token(of=one)) as client:
        forbidden = await client.call_tool("hub_find_tools", asked)
        unknown = await client.call_tool("hub_find_tools", {**asked, "server": "sates"})

    assert [tool["name"] for tool in structured(within)["tools"]] == ["item_get"]
    assert structured(forbidden)["reason_code"] == "not_found"
    assert text_of(forbidden).replace("sales", "sates") == text_of(unknown)


@ERAS
async def test_a_server_that_offers_a_search_lists_that_and_answers_calls_by_name(
    hub: WorkingHub, connect: Connect, mode: str
) -> None:
    await list_by(hub, Listing.SEARCH)

    async with connect(mode=mode) as client:
        page = await client.list_tools()
        direct = await client.call_tool("item_get", {"id": 1})
        unknown = await client.call_tool("item_grab", {"id": 1})

    assert [tool.name for tool in page.tools] == [*HUB_TOOLS, *SEARCH]
    assert "There is no tool 'item_grab' here; search for what you need with hub_find_tools." in text_of(unknown)
    assert page.next_cursor is None
    assert not direct.is_error


async def test_a_server_turns_to_a_search_by_itself_when_somebody_may_use_too_many_tools(
    hub: WorkingHub, connect: Connect
) -> None:
    await add_many_tools(hub, MOST_LISTED)
    await put_on_sales(hub, "item_get")
    seller = await hub.make_agent("seller", servers=frozenset({"sales"}))

    async with connect() as client:
        many = [tool.name for tool in (await client.list_tools()).tools]
    async with connect(token=await hub.token(of=seller)) as client:
        few = [tool.name for tool in (await client.list_tools()).tools]
    await list_by(hub, Listing.ALL)
    async with connect() as client:
        all_of_them = await client.list_tools()

    assert many == [*HUB_TOOLS, *SEARCH]
    assert few == [*HUB_TOOLS, "item_get"]
    assert all_of_them.next_cursor is not None


async def test_a_page_goes_on_where_the_last_one_ended_whatever_came_and_went(
    hub: WorkingHub, connect: Connect
) -> None:
    await add_many_tools(hub)
    spec = many_tools()
    kept = [one for one in spec.operations if one.name not in {"thing_010", "thing_200"}]
    added = spec.operations[0].model_copy(update={"name": "thing_0000"})
    later = spec.operations[0].model_copy(update={"name": "thing_2401"})

    async with connect() as client:
        first = await client.list_tools()
        async with hub.database.transaction() as tx:
            changed = spec.model_copy(update={"version": "1.0.1", "operations": (*kept, added, later)})
            await register_connector(tx, changed, hub.authority)
        names, cursor = [tool.name for tool in first.tools], first.next_cursor
        while cursor:
            page = await client.list_tools(cursor=cursor)
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor

    assert len(names) == len(set(names))
    assert OWN | {*(one.name for one in kept), "thing_2401"} <= set(names)
    assert not {"thing_200", "thing_0000"} & set(names)  # one gone, one new before where the first page ended


async def test_a_cursor_of_another_agent_or_server_is_refused(hub: WorkingHub, connect: Connect) -> None:
    await add_many_tools(hub)
    other = await hub.make_agent("other", servers=frozenset({"everything"}), allowed=ALL_SCOPES)
    async with connect() as client:
        cursor = (await client.list_tools()).next_cursor

    async with connect(token=await hub.token(of=other)) as client:
        with pytest.raises(MCPError) as refused:
            await client.list_tools(cursor=cursor)

    assert refused.value.error.code == INVALID_PARAMS
    assert "cursor" in refused.value.error.message
