"""Tools that declare what they do are called like those that do not: headers, progress, log, and questions of reads."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
from execution_house import House, order
from federation_servers import Federated
from scripted_servers import Asked, Scripted, result, said, usual

from connectors.mcp_upstream import Owner
from connectors.sdk.declaration import OPERATION
from connectors.sdk.run import Replies
from connectors.sdk.spec import ConnectorSpec
from hub.execution import Asks, Client

Json = Any

pytestmark = pytest.mark.anyio


def region(header: str) -> Json:
    """Return a schema of one argument that a header repeats."""
    return {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": header}}}


PAY: Final = {"effect": "update", "tier": "high", "fidelity": "simulated", "phases": {"preview": "pay-preview"}}
TOOLS: Final = [
    {"name": "find", "description": "Finds.", "inputSchema": region("Region")},
    {"name": "pay-preview", "description": "Shows.", "inputSchema": region("Seen-Region")},
    {"name": "see", "description": "Sees.", "inputSchema": region("Region"), "outputSchema": {"type": "object"}}
    | {"_meta": {OPERATION: {"effect": "read", "tier": "low"}}},
    {"name": "pay", "description": "Pays.", "inputSchema": region("Region"), "outputSchema": {"type": "object"}}
    | {"_meta": {OPERATION: PAY}},
]
ASKING: Final = {"resultType": "input_required", "inputRequests": {}, "requestState": "half-way"}
ABOUT: Final = "io.modelcontextprotocol"


async def answer(asked: Asked) -> bytes:
    """Answer `elsewhere` with a question, and everything else with what is usual."""
    if asked.method == "tools/list":
        return said(result(asked, {"tools": TOOLS}))
    if asked.method != "tools/call":
        return usual(asked)
    if asked.message["params"]["arguments"]["region"] == "elsewhere":
        return said(result(asked, ASKING))
    return said(result(asked, {"content": [], "structuredContent": {"changes": []}, "resultType": "complete"}))


@pytest.fixture(scope="module")
async def declaring(federated: Federated) -> AsyncGenerator[tuple[House, ConnectorSpec, Scripted]]:
    """A connection to a server with tools of both kinds, what it lists, and what it was asked."""
    server = Scripted(answer)
    async with server.running() as url:
        house = await federated.connect(url)
        owner = Owner(name="declaring", vouches=True, reads=frozenset({"find"}))
        yield house, await federated.discovered(house, owner), server


@pytest.mark.parametrize("tool", ["find", "see"])
async def test_a_read_says_who_hears_it_and_repeats_its_arguments(
    declaring: tuple[House, ConnectorSpec, Scripted], tool: str
) -> None:
    house, spec, server = declaring

    async def hear(_message: Json) -> None:
        return

    client = Client(hear=hear, replies=Replies(can={"elicitation": {}}, log_level="info", state="half-way"))
    await house.executor.read(house.target(spec, tool), {"region": "eu"}, deadline_seconds=20, client=client)

    call = server.seen[-1]
    params = call.message["params"]
    assert call.headers["mcp-param-region"] == "eu"
    assert "progressToken" in params["_meta"]
    assert params["_meta"][f"{ABOUT}/logLevel"] == "info"
    assert params["_meta"][f"{ABOUT}/clientCapabilities"] == {"elicitation": {}}
    assert params["requestState"] == "half-way"


@pytest.mark.parametrize("tool", ["find", "see"])
async def test_what_the_server_of_a_read_asks_is_passed_on(
    declaring: tuple[House, ConnectorSpec, Scripted], tool: str
) -> None:
    house, spec, _ = declaring

    read = await house.read(spec, tool, region="elsewhere")

    assert read.outcome == Asks(requests={}, state="half-way", needs={})


async def test_each_phase_repeats_the_arguments_that_its_own_tool_names(
    declaring: tuple[House, ConnectorSpec, Scripted],
) -> None:
    house, spec, server = declaring

    await house.preview(spec, "pay", region="eu")
    previewed = server.seen[-1]
    await house.commit(spec, "pay", order(), region="eu")
    paid = server.seen[-1]

    assert previewed.message["params"]["name"] == "pay-preview"
    assert (previewed.headers.get("mcp-param-seen-region"), previewed.headers.get("mcp-param-region")) == ("eu", None)
    assert paid.headers["mcp-param-region"] == "eu"
    assert paid.message["params"]["_meta"]["dev.toolhub/commit"]["key"]


async def test_a_tool_whose_phase_names_a_header_that_cannot_be_is_left_out(federated: Federated) -> None:
    broken = [TOOLS[0], {**TOOLS[1], "inputSchema": region("no header")}, TOOLS[3]]

    async def listing(asked: Asked) -> bytes:
        return said(result(asked, {"tools": broken})) if asked.method == "tools/list" else usual(asked)

    async with Scripted(listing).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, Owner(name="declaring", vouches=True))

    assert [one.name for one in spec.operations] == ["find"]
