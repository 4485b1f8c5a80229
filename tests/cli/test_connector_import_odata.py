"""`toolhub connector import odata` reads metadata from a file or an address, and publishes what its owner exposes."""

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import connectors.odata
from hub.cli import command_line

app = command_line()

CSDL = Path(connectors.odata.__file__).parent / "tests" / "shop.csdl.xml"


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of a hub with an empty database."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    return CliRunner()


class Shop(http.server.BaseHTTPRequestHandler):
    """Gives its metadata to whoever signs in."""

    def do_GET(self) -> None:
        """Answer."""
        is_known = self.headers["authorization"] == "Bearer t0ken"
        if self.path == "/shop/moved/$metadata":
            self.send_response(302)
            self.send_header("location", "/shop/$metadata")
            self.end_headers()
        elif self.path == "/shop/$metadata" and is_known:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CSDL.read_bytes())
        else:
            self.send_response(401)
            self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name in the library
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Where the shop is."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/shop"
        finally:
            server.shutdown()
            thread.join()


def test_a_file_is_reported_and_nothing_published_that_is_not_exposed(toolhub: CliRunner, tmp_path: Path) -> None:
    report = tmp_path / "shop.json"

    shown = toolhub.invoke(app, ["connector", "import", "odata", str(CSDL), "--report", str(report)])
    refused = toolhub.invoke(app, ["connector", "import", "odata", str(CSDL), "--register"])

    assert shown.exit_code == 0, shown.output
    written = json.loads(report.read_text())
    assert {"operations", "tools", "refusals", "dangling", "invalid", "non_portable", "bytes_per_tool"} <= {*written}
    assert len(written["tools"]) == 21
    assert all(tool["reasons"]["tier"] and tool["reasons"]["effect"] for tool in written["tools"])
    assert refused.exit_code == 1
    assert "No tool is exposed" in " ".join(refused.stderr.split())


def test_what_the_owner_exposes_is_published_and_the_next_time_nothing_changes(
    toolhub: CliRunner, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", "t0ken")
    owner = tmp_path / "owner.yaml"
    owner.write_text("sign_in: bearer\ntools:\n  find_products: {expose: true}\n  update_notes: {expose: true}\n")
    command = ["connector", "import", "odata", address, "--owner", str(owner), "--register"]

    first, again = toolhub.invoke(app, command), toolhub.invoke(app, command)

    assert first.exit_code == 0, first.output
    assert "Published shop 1.0.0: 2 new tool version(s)" in first.stdout
    assert f"Base URL {address}, sign-in: bearer" in first.stdout.replace("\n", " ")
    assert "0 new tool version(s)" in again.stdout
    assert "t0ken" not in first.output


@pytest.mark.parametrize("place", ["", "/moved"], ids=["unknown", "elsewhere"])
def test_an_address_that_gives_no_metadata_is_said(toolhub: CliRunner, address: str, place: str) -> None:
    told = toolhub.invoke(app, ["connector", "import", "odata", f"{address}{place}"])

    assert told.exit_code == 1
    assert "the address and the credential" in " ".join(told.stderr.split())


def test_an_owner_who_says_what_is_not_known_is_told(toolhub: CliRunner, tmp_path: Path) -> None:
    owner = tmp_path / "owner.yaml"
    owner.write_text("tools: {find_products: {exposed: true}}\n")

    told = toolhub.invoke(app, ["connector", "import", "odata", str(CSDL), "--owner", str(owner)])

    assert told.exit_code == 1
    assert "tools/find_products/exposed" in told.stderr.replace("\n", "")


def test_a_file_that_is_not_there_is_said(toolhub: CliRunner) -> None:
    told = toolhub.invoke(app, ["connector", "import", "odata", "nowhere.xml"])

    assert told.exit_code == 1
    assert "cannot be read" in " ".join(told.stderr.split())


def test_a_name_that_no_connector_may_have_is_said(toolhub: CliRunner) -> None:
    told = toolhub.invoke(app, ["connector", "import", "odata", str(CSDL), "--name", "Shop"])

    assert told.exit_code == 1
    assert "'Shop' cannot be a connector's name" in told.stderr.replace("\n", " ")
