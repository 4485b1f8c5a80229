"""Runners are registered and revoked at the console, and what one signs counts at a hub that is really serving."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner, Result
from upstream.fixtures import Upstream

from hub.cli import command_line
from hub.cli.demo.hub_process import free_port

app = command_line("account", "connector")

HONEST, HARNESS = "upstream.connector:connector", "upstream.harness:opened_briefly"
TESTS = Path(__file__).parents[1]
PASSWORD = "correct horse battery staple"
KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def home(tmp_path: Path, sqlite_template: Path) -> Path:
    """The home of a hub with one connector that nobody has checked."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    assert toolhub(home, "connector", "publish", HONEST).exit_code == 0
    return home


@dataclass(frozen=True)
class Serving:
    """A hub in a process of its own."""

    home: Path
    url: str


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A hub from nothing, serving until the test ends."""
    (home := tmp_path / "serving").mkdir()
    monkeypatch.setenv("TOOLHUB_PASSWORD", PASSWORD)
    url = f"http://127.0.0.1:{(port := free_port())}"
    own = {"TOOLHUB_HOME": str(home), "TOOLHUB_PORT": str(port), "PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1"}
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("TOOLHUB_")}
    with subprocess.Popen(
        [sys.executable, "-m", "hub", "serve"], stdout=subprocess.PIPE, text=True, cwd=home, env=foreign | own
    ) as process:
        assert process.stdout is not None
        try:
            assert any("The hub is at" in line for line in process.stdout)
            yield Serving(home, url)
        finally:
            process.kill()


def toolhub(home: Path, *words: str, **variables: str) -> Result:
    """Return how a command with this home, the hub's own or one elsewhere, ended."""
    return CliRunner().invoke(app, list(words), env={**os.environ, "TOOLHUB_HOME": str(home), **variables})


def told(result: Result) -> str:
    return " ".join(result.output.split())


def administrator_of(hub: Serving) -> httpx2.Client:
    client = httpx2.Client(base_url=hub.url, timeout=60, trust_env=False)
    session = client.post("/api/v1/session", json={"name": "ada", "password": PASSWORD})
    client.headers["x-csrf-token"] = session.json()["csrf_token"]
    return client


def token_of_a_service(administrator: httpx2.Client, hub: Serving) -> str:
    """Return a token for the API of a service, as which a CI sends its reports."""
    wanted = {
        "kind": "service",
        "name": "acme-ci",
        "display_name": "CI",
        "owner_id": administrator.get("/api/v1/session").json()["principal_id"],
        "allowed_scopes": ["upstream:read"],
        "allowed_servers": ["hub.api"],
    }
    answer = administrator.post("/api/v1/agents", json=wanted)
    assert answer.is_success, answer.text
    made = answer.json()
    form = {"grant_type": "client_credentials", "resource": f"{hub.url}/api/v1", "scope": "upstream:read"}
    proof = (made["agent"]["id"], made["secret"]["client_secret"])
    return str(administrator.post("/oauth/token", data=form, auth=proof).json()["access_token"])


@pytest.mark.more
def test_what_a_registered_runner_sends_counts_at_a_hub_and_its_catalog_shows_it(
    hub: Serving, tmp_path: Path, upstream: Upstream
) -> None:
    (tmp_path / "runner.pem").write_bytes(PRIVATE)
    (tmp_path / "runner.pub").write_bytes(PUBLIC)
    connect = ("connector", "connect", "upstream", "shelf", "--base-url", upstream.base_url)
    register = ("connector", "runner", "register", "upstream", "acme", "--key", str(tmp_path / "runner.pub"))
    check = ("connector", "check", HONEST, "--on", HARNESS, "--send", hub.url)
    for words in (
        ("account", "create", "ada", "--role", "administrator", "--role", "member"),
        ("connector", "publish", HONEST),
        connect,
    ):
        done = toolhub(hub.home, *words, TOOLHUB_SECRET_TOKEN=upstream.token)
        assert done.exit_code == 0, done.output

    with closing(administrator_of(hub)) as administrator:
        there = {"TOOLHUB_REPORT_TOKEN": token_of_a_service(administrator, hub), "TOOLHUB_RUNNER_PLACE": "CI run 12"}
        registered = toolhub(hub.home, *register, "--agent", "acme-ci")
        unsigned = toolhub(tmp_path / "elsewhere", *check, **there)
        signing = {"TOOLHUB_RUNNER": "acme", "TOOLHUB_RUNNER_KEY": str(tmp_path / "runner.pem")}
        signed = toolhub(tmp_path / "elsewhere", *check, **there, **signing)
        connectors = administrator.get("/api/v1/connectors").json()["items"]
        page = administrator.get("/servers/everything/tools/item_update")

    assert registered.exit_code == 0, registered.output
    assert (unsigned.exit_code, "has not taken the report (403)" in told(unsigned)) == (1, True), unsigned.output
    assert (signed.exit_code, "as a badge that counts" in told(signed)) == (0, True), signed.output
    (shown,) = [one for one in connectors if one["name"] == "upstream"]
    assert (shown["badge"]["source"], shown["badge"]["by"], shown["reported"]) == ("runner", "acme", None)
    assert "run and signed by the runner acme, at CI run 12" in " ".join(re.sub("<[^>]+>", "", page.text).split())


def test_runners_are_listed_and_revoked_by_their_names(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "runner.pub"
    file.write_bytes(PUBLIC)

    toolhub(home, "connector", "runner", "register", "upstream", "acme", "--key", str(file))
    revoked = toolhub(home, "connector", "runner", "revoke", "upstream", "acme")
    again = toolhub(home, "connector", "runner", "revoke", "upstream", "acme")
    listed = toolhub(home, "connector", "runner", "list", "upstream", "--json")

    key = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
    assert (revoked.exit_code, again.exit_code) == (0, 1)
    assert json.loads(listed.stdout) == [{"name": "acme", "public_key": key, "is_revoked": True}]


@pytest.mark.parametrize(
    ("content", "name", "agent", "says"),
    [
        (PRIVATE, "acme", None, "private key, which stays at the runner"),
        (b"no key", "acme", None, "no Ed25519 public key"),
        (None, "acme", None, "cannot be read"),
        (PUBLIC, "Acme CI", None, "a runner's name"),
        (PUBLIC, "acme", "nobody", "no agent or service 'nobody'"),
    ],
    ids=["private", "no key", "no file", "a name of words", "nobody"],
)
def test_what_is_no_runner_is_not_registered(
    content: bytes | None, name: str, agent: str | None, says: str, home: Path
) -> None:
    file = home / "key.pem"
    if content is not None:
        file.write_bytes(content)
    sent_by = () if agent is None else ("--agent", agent)

    refused = toolhub(home, "connector", "runner", "register", "upstream", name, "--key", str(file), *sent_by)

    assert refused.exit_code == 1
    assert says in told(refused)
    assert json.loads(toolhub(home, "connector", "runner", "list", "upstream", "--json").stdout) == []
