"""Addresses in what tools answer: told as they are published here, and read from the server that gave them."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from doors.agents import Connect
from doors.libraries import connect_library, library_token, lists_alone, lists_also, lists_nothing
from doors.working_hub import WorkingHub
from mcp import Client
from mcp.shared.exceptions import MCPError
from sqlalchemy import select

from hub.identity.directory import get
from hub.identity.principals import Caller
from hub.identity.resources import EVERYTHING
from hub.invocations.beside_tools import Addresses
from hub.invocations.journal import load
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.mcp.retelling import retold, told_at

Json = Any

pytestmark = pytest.mark.anyio

CALL = "quote", {"book": "book://1"}


@pytest.fixture
async def token(hub: WorkingHub, library: str) -> str:
    """A token for an agent that may read the library, which is connected."""
    return await library_token(hub, library)


def links(result: Json) -> list[str]:
    """Return the addresses of the links in a result as a client that reads JSON finds them."""
    return [block["uri"] for block in result["content"] if block["type"] == "resource_link"]


async def by_call(client: Client) -> list[Json]:
    result = await client.call_tool(*CALL)
    return [result.model_dump(mode="json", by_alias=True), result.structured_content]


async def by_asking_later(client: Client) -> list[Json]:
    await client.call_tool(*CALL)
    mine = await client.call_tool("hub_invocations_mine", {})
    invocation = (mine.structured_content or {})["invocations"][0]["invocation_id"]
    told = await client.call_tool("hub_invocation_get", {"id": invocation})
    return [(told.structured_content or {})["result"]]


WAYS = {"call": by_call, "asking later": by_asking_later}


async def readers(hub: WorkingHub) -> list[str]:
    """Return what read beside tools, in the order of the reads."""
    async with hub.database.reading() as tx:
        names = await tx.scalars(select(InvocationRow.tool_name).order_by(InvocationRow.created_at))
        return [name for name in names if name.endswith("_resources")]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_link_in_what_a_tool_answers_is_read_from_the_server_of_the_tool(
    hub: WorkingHub, connect: Connect, token: str, library: str, way: Callable[[Client], Awaitable[list[Json]]]
) -> None:
    async with connect(token=token) as client:
        alone = [links(one) for one in await way(client)]
        await connect_library(hub, library, "archive")
        together = [links(one) for one in await way(client)]
        book = await client.read_resource(together[0][0])

    assert {uri for one in alone for uri in one} == {"book://1"}
    assert {uri for one in together for uri in one} == {"library+book://1"}
    assert [str(one.uri) for one in book.contents] == ["library+book://1"]
    assert await readers(hub) == ["library_resources"]


async def test_a_link_to_what_its_server_does_not_list_is_read_from_no_other(
    hub: WorkingHub, connect: Connect, token: str, library: str
) -> None:
    await connect_library(hub, library, "archive")
    await lists_alone(hub, "library", {"resources": [], "templates": []})

    async with connect(token=token) as client:
        (link,) = links((await by_call(client))[0])
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource(link)

    assert link == "library+book://1"
    assert await readers(hub) == []


BOOK = {"uri": "book://1", "text": "The first book."}
ADDRESSES = Addresses(connection="library", names={"book://2": "book://2"})


@pytest.mark.parametrize(
    ("block", "told"),
    [
        ({"type": "resource_link", "uri": "book://2"}, {"type": "resource_link", "uri": "book://2"}),
        ({"type": "resource_link", "uri": "a+book://2"}, {"type": "resource_link", "uri": "library+a+book://2"}),
        ({"type": "resource", "resource": BOOK}, {"type": "resource", "resource": {**BOOK, "uri": "library+book://1"}}),
        (
            {"type": "text", "text": "book://1", "uri": "book://1"},
            {"type": "text", "text": "book://1", "uri": "book://1"},
        ),
        ({"type": "resource", "resource": None}, {"type": "resource", "resource": None}),
        ({"type": "resource_link", "uri": 7}, {"type": "resource_link", "uri": 7}),
        (["resource"], ["resource"]),
    ],
)
def test_links_and_embedded_resources_are_retold_and_nothing_else_is(block: Json, told: Json) -> None:
    assert retold(block, ADDRESSES) == told


LINK, ITS_LINK = ({"type": "resource_link", "uri": uri} for uri in ("page://1", "library+page://1"))
EMBEDDED, ITS_EMBEDDED = ({"type": "resource", "resource": one} for one in (LINK, ITS_LINK))


async def called(hub: WorkingHub, connect: Connect, token: str) -> tuple[Invocation, Caller]:
    """Return a call that was made, as it stands, and who made it."""
    async with connect(token=token) as client:
        await client.call_tool(*CALL)
    async with hub.database.reading() as tx:
        standing = await load(tx, (await tx.scalars(select(InvocationRow.id))).one())
        return standing, Caller(actor=await get(tx, standing.agent_id))


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ({"content": [LINK]}, {"content": [ITS_LINK]}),
        ({"content": [EMBEDDED]}, {"content": [ITS_EMBEDDED]}),
        ({"content": [LINK], "structuredContent": {"a": 1}}, {"content": [ITS_LINK], "structuredContent": {"a": 1}}),
        ({"content": [LINK], "id": 7}, {"content": [LINK], "id": 7}),
        ({"content": 7}, {"content": 7}),
        (None, None),
    ],
)
async def test_only_what_may_be_the_result_of_a_federated_tool_is_retold(
    hub: WorkingHub, connect: Connect, token: str, output: Json, told: Json
) -> None:
    standing, caller = await called(hub, connect, token)

    seen = await told_at(EVERYTHING, caller, replace(standing, output=output), hub.runtime)

    assert seen.output == told


async def test_what_a_call_came_to_is_told_also_where_its_server_is_no_longer_seen(
    hub: WorkingHub, connect: Connect, token: str
) -> None:
    standing, caller = await called(hub, connect, token)

    seen = await told_at("taken-away", caller, replace(standing, output={"content": [LINK]}), hub.runtime)

    assert seen.output == {"content": [ITS_LINK]}


@pytest.mark.parametrize(
    "listed",
    [
        {"resources": [{"uri": "library+book://1", "name": "The first book."}]},
        {"templates": [{"uriTemplate": "library+book://{number}", "name": "Any book."}]},
    ],
    ids=["resource", "template"],
)
async def test_a_link_of_a_server_that_lists_nothing_is_read_from_no_other(
    hub: WorkingHub, connect: Connect, token: str, library: str, listed: dict[str, list[dict[str, str]]]
) -> None:
    await lists_nothing(hub, "library")
    await connect_library(hub, library, "archive")
    await lists_also(hub, "archive", listed)

    async with connect(token=token) as client:
        [link] = links((await client.call_tool(*CALL)).model_dump(mode="json", by_alias=True))
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource(link)
        names = [str(one.uri) for one in (await client.list_resources()).resources]
        names += [one.uri_template for one in (await client.list_resource_templates()).resource_templates]

    assert link == "library+book://1"
    assert not any(name.startswith("library+") for name in names)
    assert any(name.startswith("archive+library+book://") for name in names)
    assert await readers(hub) == []
