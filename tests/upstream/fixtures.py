"""The fixtures `upstream` and `mcp_upstream`: the test upstreams, each in a process of its own."""

import json
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from upstream.certificates import for_localhost
from upstream.store import Store

TOKEN = "upstream-account-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A running test upstream; `store` is its file: `effects()`, `requests()`, `plan_fault(...)`."""

    base_url: str
    token: str
    store: Store
    process: subprocess.Popen[str]

    def await_effect(self, reference: object) -> None:
        """Return once there is an effect on `reference`, as when one is late."""
        until = time.monotonic() + 20
        while not self.store.effects(reference):
            assert time.monotonic() < until, "the effect never came"
            select.select([], [], [], 0.02)

    def kill(self) -> None:
        """Take the system down at once; its file stays readable."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server program of ours until the block ends; yield its process and port.

    The program ends by itself when its standard input does, so it never outlives a test run that was killed.
    """
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, json.loads(process.stdout.readline())["port"]
        finally:
            process.kill()


@contextmanager
def running_upstream(folder: Path, *, port: int = 0) -> Iterator[Upstream]:
    """Run the test upstream on the file in `folder`; started again there, it continues with its records."""
    database = folder / "upstream.sqlite"
    options = ["--database", str(database), "--token", TOKEN, "--port", str(port)]
    with running("upstream.server", *options) as (process, listening):
        store = Store(database)
        try:
            yield Upstream(base_url=f"http://127.0.0.1:{listening}", token=TOKEN, store=store, process=process)
        finally:
            store.close()


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """A fresh test upstream with one item: 1, "pencil", quantity 10, version 1."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    with running_upstream(folder) as started:
        started.store.rows("INSERT INTO item VALUES (1, 'pencil', 10, 1)")
        yield started


@pytest.fixture(scope="session")
def shared_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    """A test upstream for tests that charge an account of their own, and look at nothing else. Leave it running."""
    with running_upstream(tmp_path_factory.mktemp("shared-upstream")) as started:
        yield started


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server for `localhost` shows, and what a client needs to believe it."""
    return for_localhost(tmp_path_factory.mktemp("tls"))


@dataclass(frozen=True, slots=True, kw_only=True)
class McpUpstream:
    """A running MCP server of ours; `url` is its endpoint, and so a connection's base URL."""

    url: str
    store: Store
    process: subprocess.Popen[str]


@contextmanager
def running_mcp_upstream(folder: Path, *options: str) -> Iterator[McpUpstream]:
    """Run the MCP test upstream with `options` of its command line."""
    database = folder / "mcp-upstream.sqlite"
    with running("upstream.mcp_server", "--database", str(database), *options) as (process, port):
        store = Store(database)
        try:
            yield McpUpstream(url=f"http://127.0.0.1:{port}/mcp", store=store, process=process)
        finally:
            store.close()


@pytest.fixture(scope="session")
def shared_mcp_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpUpstream]:
    """The process behind `mcp_upstream`; it takes seconds to start, so it is started once."""
    with running_mcp_upstream(tmp_path_factory.mktemp("mcp-upstream")) as started:
        yield started


@pytest.fixture
def mcp_upstream(shared_mcp_upstream: McpUpstream) -> McpUpstream:
    """An MCP server that speaks both protocols and answers with JSON, without any effect yet. Leave it running."""
    shared_mcp_upstream.store.rows("DELETE FROM effect")
    return shared_mcp_upstream
