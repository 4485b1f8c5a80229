"""A connector alone as an MCP server: what it declares lets a hub take it in with previews, guards and undo."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from upstream.connector import connector
from upstream.fixtures import Upstream
from upstream.harness import UpstreamHarness, honest_cases

from connectors.mcp_upstream import Discovery, Owner, before_discovery, discover
from connectors.sdk.declaration import COMMIT, OPERATION
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Fidelity, Phase, Reversal, Tier, UpstreamClass
from connectors.sdk.workbench import PlainTransport
from hub.invocations.proving.session import check_live
from hub.registry import BadgeVerdict, Promise

pytestmark = pytest.mark.anyio

ENTRY = "upstream.connector:connector"
OWNER = Owner(name="upstream", vouches=True)


def environment(upstream: Upstream) -> dict[str, str]:
    return {**os.environ, "TOOLHUB_SECRET_TOKEN": upstream.token}


def command(upstream: Upstream, *options: str) -> list[str]:
    return [sys.executable, "-m", "hub", "connector", "run", ENTRY, "--on", upstream.base_url, *options]


@contextmanager
def running_alone(upstream: Upstream) -> Iterator[str]:
    """Run the test connector alone on a free port; yield its URL once it listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        command(upstream, "--port", port), env=environment(upstream), stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stderr is not None
        try:
            url = process.stderr.readline().split(" is at ")[1].strip()
            _until_it_listens(int(port), process)
            yield url
        finally:
            process.kill()


def _until_it_listens(port: int, process: "subprocess.Popen[str]") -> None:
    while process.poll() is None:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("it ended before it listened")


async def found(url: str, owner: Owner = OWNER) -> Discovery:
    async with httpx2.AsyncClient(timeout=20) as client:
        return await discover(PlainTransport(before_discovery(owner), client, url, Phase.READ), owner)


async def test_over_stdio_a_write_is_previewed_committed_and_undone(upstream: Upstream, tmp_path: Path) -> None:
    program, *options = command(upstream)
    parameters = StdioServerParameters(command=program, args=options, env=environment(upstream), cwd=tmp_path)

    async with Client(stdio_client(parameters)) as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
        previewed = await agent.call_tool("item_update-preview", {"id": 1, "quantity": 12})
        effects_of_a_preview = upstream.store.effects()
        preview = structured(previewed)
        guard = {one["target"]: one["token"] for one in preview["preconditions"]}
        commit = {COMMIT: {"key": "one", "guard": guard, "before": {"items/1": preview["changes"][0]["before"]}}}
        written = await agent.call_tool("item_update", {"id": 1, "quantity": 12}, meta=commit)
        again = await agent.call_tool("item_update", {"id": 1, "quantity": 13}, meta=commit)

    meta = tools["item_update"].meta or {}
    assert meta[OPERATION]["compensation"]["tool"] == "item_update"
    assert meta[OPERATION]["phases"] == {"preview": "item_update-preview", "observe": "item_update-observe"}
    assert effects_of_a_preview == []
    assert structured(written)["quantity"] == 12
    assert again.is_error
    assert structured(again)["code"] == "upstream_conflict"
    assert [effect.detail for effect in upstream.store.effects()] == [{"quantity": 12}]


def structured(result: Any) -> Mapping[str, Any]:  # noqa: ANN401  # what the client gives
    content: Mapping[str, Any] = result.structured_content
    return content


async def test_a_hub_takes_it_in_with_everything_that_it_declares(upstream: Upstream) -> None:
    with running_alone(upstream) as url:
        discovery = await found(url)

    assert discovery.refused == ()
    assert {one.name for one in discovery.spec.operations} == {*connector.operations}
    for ours in connector.spec.operations:
        theirs = discovery.spec.operation(ours.name)
        kept = {"binding", "has_check"}  # its own check stays with it, before each preview and commit
        assert theirs.model_dump(exclude=kept) == ours.model_dump(exclude=kept)


@pytest.mark.more
async def test_the_contract_kit_proves_over_mcp_what_it_proves_at_home(upstream: Upstream) -> None:
    with running_alone(upstream) as url:
        harness = UpstreamHarness(upstream=upstream)
        badge = await check_live((await found(url)).spec, At(url, harness, honest_cases(harness)))

    assert [line for line in badge.lines if line.verdict is BadgeVerdict.FAILED] == []
    proven = {(line.operation, line.promise) for line in badge.lines if line.verdict is BadgeVerdict.PASSED}
    assert {("item_update", Promise.UNDO), ("item_update", Promise.GUARD)} <= proven
    assert {("item_put", Promise.ONCE), ("ticket_create", Promise.ONCE), ("item_put", Promise.UNDO)} <= proven


class At:
    """The harness of the test upstream, where the connector that is tried is at another address."""

    def __init__(self, url: str, behind: UpstreamHarness, cases: Any) -> None:  # noqa: ANN401  # as the harness has it
        self.system, self.base_url, self.secret = "the test upstream, over MCP", url, dict[str, str]()
        self.cases, self.contents = cases, behind.contents


async def test_without_its_owners_word_nothing_declared_is_believed(upstream: Upstream) -> None:
    with running_alone(upstream) as url:
        spec = (await found(url, Owner(name="upstream"))).spec

    cautious(spec)


def cautious(spec: ConnectorSpec) -> None:
    """Hold that every tool is a write of the worst kind, the phases among them."""
    assert "item_update_preview" in {one.name for one in spec.operations}
    for one in spec.operations:
        assert (one.tier, one.fidelity, one.upstream_class) == (Tier.HIGH, Fidelity.NONE, UpstreamClass.D)
        assert (one.reversal, one.compensation) == (Reversal.NONE, None)
