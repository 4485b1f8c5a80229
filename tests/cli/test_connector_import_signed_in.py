"""`toolhub connector import mcp` of servers that want a token: it is asked for that very server (RFC 8707)."""

import asyncio
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from serving import serve
from typer.testing import CliRunner
from upstream.fixtures import McpUpstream, Upstream
from world import open_world

from hub.cli import command_line
from hub.identity.authority import Authority
from hub.identity.clients import issue_secret
from hub.keys import Keyring
from hub.storage import Database

app = command_line()
WITH_TOKENS = ["client-credentials", "token-exchange"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Where tokens are given to whoever asks, and what it was asked."""

    url: str
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    class Answering(BaseHTTPRequestHandler):
        """Gives the same token for every request."""

        def do_POST(self) -> None:
            """Answer a request."""
            asked = self.rfile.read(int(self.headers["content-length"])).decode()
            there.forms.append(dict(parse_qsl(asked)))
            body = json.dumps({"access_token": "a", "token_type": "Bearer", "expires_in": 60}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answering)
    there = Issuer(url=f"http://127.0.0.1:{server.server_port}/token")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield there
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of a hub with an empty database, which is given every secret that it asks for."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    for name in ("CLIENT_ID", "CLIENT_SECRET", "SUBJECT_TOKEN"):
        monkeypatch.setenv(f"TOOLHUB_SECRET_{name}", "x")
    return CliRunner()


@pytest.mark.parametrize("way", WITH_TOKENS)
def test_a_token_is_asked_for_the_very_server(
    way: str, toolhub: CliRunner, issuer: Issuer, mcp_upstream: McpUpstream
) -> None:
    command = ["connector", "import", "mcp", mcp_upstream.url, "--name", "notes"]

    done = toolhub.invoke(app, [*command, "--sign-in", way, "--token-url", issuer.url, "--scope", "a b"])

    assert done.exit_code == 0, done.output
    assert [(form["resource"], form["scope"]) for form in issuer.forms] == [(mcp_upstream.url, "a b")]


@pytest.mark.parametrize("way", WITH_TOKENS)
@pytest.mark.parametrize("said", ["https://notes.example/mcp", ""])
def test_a_server_that_is_called_otherwise_at_its_issuer_is_named_so(
    way: str, said: str, toolhub: CliRunner, issuer: Issuer, mcp_upstream: McpUpstream
) -> None:
    command = ["connector", "import", "mcp", mcp_upstream.url, "--name", "notes"]
    otherwise = ["--sign-in", way, "--token-url", issuer.url, "--resource", said]

    shown = toolhub.invoke(app, [*command, *otherwise])
    published = toolhub.invoke(app, [*command, *otherwise, "--register"])
    again = toolhub.invoke(app, command)

    assert [done.exit_code for done in (shown, published, again)] == [0, 0, 0], (shown.output, published.output)
    assert [form.get("resource") for form in issuer.forms] == [said or None] * 3
    assert f"--resource {said or chr(39) * 2}" in shown.stdout


@pytest.mark.parametrize("more", [["--resource", "urn:notes"], ["--scope", "a"], ["--audience", "notes"]])
def test_what_is_said_of_a_token_needs_a_sign_in_by_token(
    more: list[str], toolhub: CliRunner, mcp_upstream: McpUpstream
) -> None:
    done = toolhub.invoke(app, ["connector", "import", "mcp", mcp_upstream.url, "--name", "notes", *more])

    assert done.exit_code == 1
    assert "belong to --sign-in client-credentials and token-exchange" in " ".join(done.stderr.split())


@pytest.mark.anyio
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_one_hub_imports_the_server_of_another(
    toolhub: CliRunner, database: Database, keys: Keyring, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world(database, keys, upstream) as world, serve(world) as served:
        async with database.transaction() as tx:
            secret = await issue_secret(tx, world.bot.id, Authority(database=database, keys=keys))
        monkeypatch.setenv("TOOLHUB_SECRET_CLIENT_ID", world.bot.id)
        monkeypatch.setenv("TOOLHUB_SECRET_CLIENT_SECRET", secret.value)
        command = ["connector", "import", "mcp", f"{served.address}/mcp", "--name", "other", "--reads", "item_get"]
        shown = ["--sign-in", "client-credentials", "--token-url", f"{served.address}/oauth/token"]

        done = await asyncio.to_thread(toolhub.invoke, app, [*command, *shown, "--register"])

    assert done.exit_code == 0, done.output
    assert "item_get" in done.stdout
    assert "Published other" in done.stdout
