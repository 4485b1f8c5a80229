"""Federated MCP servers run in the hub itself, without foreign code, behind the same broker."""

import pytest
from execution_house import ITEMS, House, Permits, order
from upstream.fixtures import McpUpstream

from connectors.mcp_upstream import Discovery, Owner
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Effect
from hub.execution import Failed, Previewed, Succeeded, Unreachable, Violation

pytestmark = pytest.mark.anyio

OWNER = Owner(name="notes", reads=frozenset({"add"}))


async def discovered(house: House, mcp_upstream: McpUpstream) -> ConnectorSpec:
    await house.connect(mcp_upstream.url)
    found = await house.executor.discover(OWNER, house.connection)
    assert isinstance(found, Discovery), found
    return found.spec


async def test_a_read_and_a_write_are_carried_out(house: House, mcp_upstream: McpUpstream) -> None:
    spec = await discovered(house, mcp_upstream)
    permits = Permits()

    read = await house.read(spec, "add", a=1, b=2)
    preview = await house.preview(spec, "notes_post", text="hi")
    committed = await house.commit(spec, "notes_post", order(permits), text="hi")

    assert isinstance(read.outcome, Succeeded), read
    assert read.outcome.output["structuredContent"] == {"sum": 3}
    assert read.passage.sandbox_level == "direct"
    assert isinstance(preview.outcome, Previewed)
    assert isinstance(committed.outcome, Succeeded), committed
    assert permits.asked == 1
    assert [(effect.kind, effect.reference) for effect in mcp_upstream.store.effects()] == [("notes_post", "hi")]


async def test_a_tool_that_only_claims_to_read_is_stopped(house: House, mcp_upstream: McpUpstream) -> None:
    spec = await discovered(house, mcp_upstream)
    operations = tuple(one.model_copy(update={"effect": Effect.READ}) for one in spec.operations)
    disguised = spec.model_copy(update={"operations": operations})

    ran = await house.read(disguised, "notes_post", text="through the back door")

    assert ran.outcome == Violation(message="It tried to send tools/call/notes_post.")
    assert mcp_upstream.store.effects() == []


async def test_a_refused_permit_lets_no_tool_be_called(house: House, mcp_upstream: McpUpstream) -> None:
    spec = await discovered(house, mcp_upstream)

    async def refuse() -> None:
        raise LookupError("the lease is lost")

    with pytest.raises(LookupError):
        await house.commit(spec, "notes_post", order(Permits(then=refuse)), text="hi")

    assert mcp_upstream.store.effects() == []


async def test_a_server_that_is_not_there_is_unreachable(house: House) -> None:
    await house.connect("http://127.0.0.1:9")

    found = await house.executor.discover(OWNER, house.connection)
    ran = await house.commit(ITEMS, "note_post", text="hello")

    assert isinstance(found, Unreachable)
    assert isinstance(ran.outcome, Failed)


async def test_a_server_that_speaks_no_mcp_is_unreachable(house: House) -> None:
    found = await house.executor.discover(OWNER, house.connection)

    assert isinstance(found, Unreachable)
