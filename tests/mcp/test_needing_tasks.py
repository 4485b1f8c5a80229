"""Tools for clients alone that know tasks: others are not shown them, and are refused before anything is done."""

from typing import Any, Final

import pytest
from doors.agents import Connect
from doors.outside import entered
from doors.tasking import WITH_TASKS
from doors.working_hub import WorkingHub
from mcp import Client, MCPError
from mcp_types import MISSING_REQUIRED_CLIENT_CAPABILITY
from sqlalchemy import select

from hub.audit import events_of
from hub.invocations.refuse import AT_THE_DOOR
from hub.invocations.tables import InvocationRow
from hub.mcp.abilities import TASKS
from hub.registry import DefinedTool, Environment, ServerDefinition, define_server

pytestmark = pytest.mark.anyio

DESK: Final = "/servers/desk/mcp"


def put(*tools: str, slow: str = "item_get") -> ServerDefinition:
    """Return a server with these tools, of which one is for clients that know tasks."""
    defined = [DefinedTool(tool=one, connection="test-system", needs_tasks=one == slow) for one in tools]
    return ServerDefinition(name="desk", environment=Environment.DEV, title="Desk", tools=tuple(defined))


async def define(hub: WorkingHub, wanted: ServerDefinition) -> None:
    async with hub.database.transaction() as tx:
        await define_server(tx, wanted, hub.authority)


@pytest.fixture
async def token(hub: WorkingHub) -> str:
    """A token for the server with the slow tool."""
    await define(hub, put("item_get", "item_find", "note_post"))
    agent = await hub.make_agent("clerk", servers=frozenset({"desk"}))
    return await hub.token(of=agent, server="desk")


async def names(client: Client) -> set[str]:
    listed = {tool.name for tool in (await client.list_tools()).tools}
    return {name for name in listed if not name.startswith("hub_")}


async def found(client: Client, query: str, limit: int) -> list[str]:
    result = await client.call_tool("hub_find_tools", {"query": query, "limit": limit})
    assert result.structured_content is not None
    return [one["name"] for one in result.structured_content["tools"]]


@pytest.mark.parametrize("through", ["by its name", "through another"])
async def test_a_client_without_tasks_is_told_in_the_protocols_own_words_and_nothing_is_done(
    hub: WorkingHub, connect: Connect, token: str, through: str
) -> None:
    called: dict[str, Any] = {"id": 1}
    by_name = through == "by its name"
    name, arguments = ("item_get", called) if by_name else ("hub_call_tool", {"name": "item_get", "arguments": called})
    async with connect(token=token, path=DESK) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool(name, arguments)
        other = await client.call_tool("item_find", {"name": "pencil"})

    assert refused.value.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
    assert refused.value.error.data == {"requiredCapabilities": {"extensions": {TASKS: {}}}}
    assert not other.is_error
    assert await calls(hub) == ["item_find"]
    assert await turned_away(hub) == ["tasks_needed"]


@pytest.mark.parametrize("through", ["by its name", "through another"])
async def test_a_client_of_the_older_protocol_is_told_so_by_a_result(
    hub: WorkingHub, connect: Connect, token: str, through: str
) -> None:
    called: dict[str, Any] = {"id": 1}
    by_name = through == "by its name"
    name, arguments = ("item_get", called) if by_name else ("hub_call_tool", {"name": "item_get", "arguments": called})
    async with connect(token=token, path=DESK, mode="legacy") as client:
        result = await client.call_tool(name, arguments)

    assert result.is_error
    assert result.structured_content is not None
    assert (result.structured_content["reason_code"], result.structured_content["retryable"]) == ("tasks_needed", False)
    assert "is for clients that know tasks" in result.structured_content["reason"]
    assert await calls(hub) == []
    assert await turned_away(hub) == ["tasks_needed"]


async def test_a_client_with_tasks_calls_it_and_who_calls_it_elsewhere_needs_none(connect: Connect, token: str) -> None:
    async with connect(token=token, path=DESK, **WITH_TASKS) as client:
        there = await client.call_tool("item_get", {"id": 1})
    async with connect() as client:
        elsewhere = await client.call_tool("item_get", {"id": 1})

    assert (there.is_error, elsewhere.is_error) == (False, False)


@pytest.mark.parametrize(
    ("more", "seen"),
    [({}, False), (WITH_TASKS, True), ({"mode": "legacy"}, False)],
    ids=["without tasks", "with tasks", "older"],
)
async def test_a_client_is_shown_what_it_can_call(
    connect: Connect,
    token: str,
    more: dict[str, Any],
    seen: bool,  # noqa: FBT001  # a column
) -> None:
    async with connect(token=token, path=DESK, **more) as client:
        listed = await names(client)
        searched = await found(client, "look an item up by its id", 20)
        best = await found(client, "look an item up by its id", 1)

    assert listed == {"item_find", "note_post", *(["item_get"] if seen else [])}
    assert ("item_get" in searched) is seen
    assert best == ["item_get" if seen else "item_find"]


async def test_a_client_is_told_that_its_list_has_changed_where_it_has(
    hub: WorkingHub, token: str, address: str
) -> None:
    at = f"{address}/servers/desk"
    async with (
        entered(at, token) as without,
        entered(at, token, **WITH_TASKS) as knowing,
        without.listen(tools_list_changed=True) as stream,
        knowing.listen(tools_list_changed=True) as other,
    ):
        await define(hub, put("item_get", "item_find", "note_post", slow="item_find"))
        await anext(aiter(stream))
        listed = await names(without)
        await define(hub, put("item_get", "item_find", slow="item_find"))
        await anext(aiter(other))
        both = await names(knowing)

    assert listed == {"item_get", "note_post"}
    assert both == {"item_get", "item_find"}


async def calls(hub: WorkingHub) -> list[str]:
    """Return the tools of which a call is on record."""
    async with hub.database.reading() as tx:
        return list(await tx.scalars(select(InvocationRow.tool_name)))


async def turned_away(hub: WorkingHub) -> list[str]:
    """Return why calls were turned away at the door."""
    async with hub.database.reading() as tx:
        return [str(one.facts["code"]) for one in await events_of(tx, f"{AT_THE_DOOR}item_get")]
