"""Federated MCP servers: both protocols, what their hints may do, and what their answers prove."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from upstream.fixtures import McpUpstream, running_mcp_upstream

from connectors.mcp_upstream import Discovery, Owner, before_discovery, carry_out, discover
from connectors.sdk.errors import Unreadable
from connectors.sdk.names import normalised
from connectors.sdk.run import Done, Failed, PhaseCall, PhaseResult, Previewed
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Phase, Tier, UpstreamClass
from connectors.sdk.wire import WireRequest, WireResponse
from connectors.sdk.workbench import PlainTransport

pytestmark = pytest.mark.anyio

OWNER = Owner(name="notes", reads=frozenset({"add", "chatty", "routed"}))
ERAS = {
    "modern, json": (),
    "modern, events": ("--sse",),
    "legacy, json, no sessions": ("--era", "legacy"),
    "legacy, events, sessions": ("--era", "legacy", "--sse", "--sessions"),
}


class Bench:
    """An MCP server, and calls of its tools under the write fence."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self.client = client
        self.url = url

    async def discover(self, owner: Owner = OWNER) -> Discovery:
        """Return what the server offers, found by requests that cannot call a tool."""
        before = before_discovery(owner)
        return await discover(PlainTransport(before, self.client, self.url, Phase.READ), owner)

    async def run(self, spec: ConnectorSpec, phase: Phase, operation: str, **arguments: object) -> PhaseResult:
        """Run one phase of one tool."""
        call = PhaseCall(operation=operation, phase=phase, arguments=arguments)
        return await carry_out(spec, call, PlainTransport(spec, self.client, self.url, phase))


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


@pytest.fixture
def bench(client: httpx2.AsyncClient, mcp_upstream: McpUpstream) -> Bench:
    return Bench(client, mcp_upstream.url)


async def test_a_look_needs_none_of_the_threads_that_others_wait_for(bench: Bench) -> None:
    loop, others = asyncio.get_running_loop(), threading.Event()
    with ThreadPoolExecutor(max_workers=1) as shared:
        loop.set_default_executor(shared)
        waiting = loop.run_in_executor(None, others.wait)
        try:
            async with asyncio.timeout(60):  # so that it fails where it would stand still
                found = await bench.discover()
        finally:
            others.set()
        await waiting

    assert found.spec.operations


@pytest.mark.parametrize("options", ERAS.values(), ids=ERAS)
async def test_tools_are_found_read_and_called_in_every_era(
    client: httpx2.AsyncClient, tmp_path: Path, options: tuple[str, ...]
) -> None:
    with running_mcp_upstream(tmp_path, *options) as server:
        bench = Bench(client, server.url)
        spec = (await bench.discover()).spec

        added = await bench.run(spec, Phase.READ, "add", a=1, b=2)
        chatty = await bench.run(spec, Phase.READ, "chatty", text="hello")
        routed = await bench.run(spec, Phase.READ, "routed", region="eu")
        posted = await bench.run(spec, Phase.COMMIT, "notes_post", text="hi")

        assert isinstance(added, Done)
        assert added.output == {"content": [{"type": "text", "text": "3"}], "structuredContent": {"sum": 3}}
        assert isinstance(chatty, Done)
        assert chatty.output["content"][0]["text"] == "hello"
        assert isinstance(routed, Done), routed
        assert isinstance(posted, Done)
        assert [(effect.kind, effect.reference) for effect in server.store.effects()] == [("notes_post", "hi")]


async def test_a_tool_is_a_read_only_by_its_owners_word(bench: Bench, mcp_upstream: McpUpstream) -> None:
    spec = (await bench.discover()).spec

    liar = spec.operation("liar")
    result = await bench.run(spec, Phase.READ, "liar", text="sly")

    assert (liar.effect, liar.tier, liar.upstream_class, liar.fidelity) == (
        Effect.DELETE,
        Tier.HIGH,
        UpstreamClass.D,
        Fidelity.NONE,
    )
    assert (spec.operation("add").effect, spec.operation("add").tier) == (Effect.READ, Tier.LOW)
    assert isinstance(result, Failed)
    assert mcp_upstream.store.effects() == []


async def test_a_tool_that_says_it_writes_stays_a_write_whatever_its_owner_says(bench: Bench) -> None:
    spec = (await bench.discover(Owner(name="notes", reads=frozenset({"Notes.Post"})))).spec

    written = [operation for operation in spec.operations if operation.binding["tool"] == "Notes.Post"]

    assert [operation.tier for operation in written] == [Tier.HIGH]


async def test_only_calls_of_confirmed_reads_pass_the_fence(bench: Bench, mcp_upstream: McpUpstream) -> None:
    spec = (await bench.discover()).spec
    disguised = spec.model_copy(
        update={
            "operations": tuple(
                operation.model_copy(update={"effect": Effect.READ}) if operation.name == "notes_post" else operation
                for operation in spec.operations
            )
        }
    )

    result = await bench.run(disguised, Phase.READ, "notes_post", text="through the back door")

    assert isinstance(result, Failed)
    assert result.code == "fenced"
    assert mcp_upstream.store.effects() == []


async def test_a_tool_that_cannot_be_published_is_listed_with_its_reason(bench: Bench) -> None:
    refused = (await bench.discover()).refused

    assert [(refusal.tool, "Node contains itself" in refusal.reason) for refusal in refused] == [("tree", True)]


async def test_every_tool_gets_a_name_of_its_own_that_the_hub_allows(bench: Bench) -> None:
    names = {str(o.binding["tool"]): o.name for o in (await bench.discover()).spec.operations}

    assert names["notes_post"] == "notes_post"
    assert names["Notes.Post"].startswith("notes_post_")
    assert names["hub_secret"] == "tool_hub_secret"
    assert len({*names.values()}) == len(names)


def test_names_do_not_depend_on_the_order_in_which_a_server_lists_them() -> None:
    names = ["getUser", "get_user", "get-user", "x" * 60, "x" * 61, "7up", "été", "***"]

    there, back = normalised(names), normalised(names[::-1])

    assert there == back
    assert len({*there.values()}) == len(names)
    assert all(len(name) <= 48 for name in there.values())
    assert there["get_user"] == "get_user"


async def test_an_error_of_a_write_is_a_doubt_unless_the_owner_vouches_for_it(
    bench: Bench, mcp_upstream: McpUpstream
) -> None:
    spec = (await bench.discover()).spec
    vouched = (await bench.discover(replace(OWNER, refuses_definitely=frozenset({"notes_post"})))).spec

    failed = await bench.run(spec, Phase.COMMIT, "fail_after", text="one")
    doubted = await bench.run(spec, Phase.COMMIT, "notes_post", text="unwelcome")
    refused = await bench.run(vouched, Phase.COMMIT, "notes_post", text="unwelcome")

    assert failed == Failed(code="upstream_unknown", message="The tool reports an error: It broke.")
    assert isinstance(doubted, Failed)
    assert doubted.code == "upstream_unknown"
    assert refused == Failed(code="upstream_refused", message="The tool reports an error: We do not post that.")
    assert len(mcp_upstream.store.effects("one")) == 1


@pytest.mark.parametrize("tool", ["raise_after", "ask_more"])
async def test_a_write_that_ends_oddly_is_a_doubt(bench: Bench, mcp_upstream: McpUpstream, tool: str) -> None:
    spec = (await bench.discover()).spec

    result = await bench.run(spec, Phase.COMMIT, tool, text="one")

    assert isinstance(result, Failed)
    assert result.code == "upstream_unknown"
    assert len(mcp_upstream.store.effects("one")) == 1


async def test_the_preview_of_a_federated_write_claims_nothing(bench: Bench) -> None:
    spec = (await bench.discover()).spec

    result = await bench.run(spec, Phase.PREVIEW, "notes_post", text="hi")

    assert isinstance(result, Previewed)
    assert result.preview.fidelity is Fidelity.NONE
    assert result.preview.changes == ()
    assert result.preview.not_covered


async def test_a_list_that_is_endless_in_bytes_is_not_read_to_its_end() -> None:
    asked = list[str]()

    class Endless:
        async def send(self, request: WireRequest) -> WireResponse:
            method = json.loads(request.body or "{}")["method"]
            asked.append(method)
            if method == "server/discover":
                result: dict[str, object] = {"supportedVersions": ["2026-07-28"], "capabilities": {}}
            else:
                tool = {"name": f"t{len(asked)}", "description": "x" * 1024 * 1024, "inputSchema": {"type": "object"}}
                result = {"tools": [tool], "nextCursor": str(len(asked))}
            answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result})
            return WireResponse(status=200, headers={"content-type": "application/json"}, body=answer)

    with pytest.raises(Unreadable, match="have it list less"):
        await discover(Endless(), OWNER)

    assert asked.count("tools/list") == 12


async def test_discovering_twice_finds_the_same_connector(bench: Bench) -> None:
    assert (await bench.discover()).spec == (await bench.discover()).spec


async def test_a_server_that_is_down_is_said_to_be_down(client: httpx2.AsyncClient, tmp_path: Path) -> None:
    with running_mcp_upstream(tmp_path) as server:
        bench = Bench(client, server.url)
        spec = (await bench.discover()).spec
        server.process.kill()
        server.process.wait()

        result = await bench.run(spec, Phase.COMMIT, "notes_post", text="hi")

    assert isinstance(result, Failed)
    assert result.code == "upstream_unavailable"
