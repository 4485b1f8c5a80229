"""What a client gets of a federated tool is what its server gave: the same content, the same structured content."""

import pytest
from doors.agents import ERAS, Connect
from doors.federated import connect_federated
from doors.working_hub import ALL_SCOPES, WorkingHub
from mcp import Client
from mcp_types import TextContent
from upstream.fixtures import McpUpstream

from connectors.mcp_upstream import Owner
from hub.identity.resources import EVERYTHING
from schemas import compile_schema

pytestmark = pytest.mark.anyio

OWNER = Owner(name="notes", reads=frozenset({"add", "chatty"}))


@pytest.fixture
async def token(hub: WorkingHub, mcp_upstream: McpUpstream) -> str:
    """A token of an agent that may read from the server, which is connected."""
    await connect_federated(hub.runtime, OWNER, mcp_upstream.url)
    scopes = ALL_SCOPES | {"notes:read", "notes:write"}
    agent = await hub.make_agent("reader", allowed=scopes, servers=frozenset({EVERYTHING}))
    return await hub.token(of=agent, granted=scopes)


@ERAS
async def test_structured_content_is_the_servers_own_and_fits_what_is_listed(
    connect: Connect, token: str, mcp_upstream: McpUpstream, mode: str
) -> None:
    async with Client(mcp_upstream.url) as direct:
        own = await direct.call_tool("add", {"a": 1, "b": 2})
    async with connect(token=token, mode=mode) as client:
        (listed,) = [tool for tool in (await client.list_tools()).tools if tool.name == "add"]
        got = await client.call_tool("add", {"a": 1, "b": 2})

    assert (got.structured_content, got.content) == (own.structured_content, own.content)
    assert got.structured_content == {"sum": 3}
    assert listed.output_schema is not None
    checked = compile_schema(listed.output_schema)
    assert checked.is_valid({"sum": 3})
    assert not checked.is_valid({"sum": "three"})
    assert checked.is_valid({"status": "pending_approval", "invocation_id": "inv_1", "status_url": "https://hub/x"})


@ERAS
async def test_a_tool_without_structured_content_keeps_its_content(connect: Connect, token: str, mode: str) -> None:
    async with connect(token=token, mode=mode) as client:
        got = await client.call_tool("chatty", {"text": "hello"})

    assert [block.text for block in got.content if isinstance(block, TextContent)] == ["hello"]
    assert got.is_error is False
