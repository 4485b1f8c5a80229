"""The README's example is imported, reported on and published, by the commands it gives."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import command_line

app = command_line()

README = Path(__file__).parents[2] / "connectors" / "openapi" / "README.md"


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of a hub with an empty database, in a folder with the README's files."""
    for name, text in re.findall(r"^```yaml file=(\S+)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(text)
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return CliRunner()


def commands() -> list[list[str]]:
    """Return the commands of the README, without the name of the program."""
    found = re.findall(r"^```sh\ntoolhub (.*?)\n```$", README.read_text(), re.MULTILINE)
    return [shlex.split(command) for command in found]


def test_the_first_command_reports_on_every_operation(toolhub: CliRunner, tmp_path: Path) -> None:
    result = toolhub.invoke(app, commands()[0])

    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "deals.json").read_text())
    documented = ("operations", "tools", "refusals", "dangling", "invalid", "non_portable", "bytes_per_tool")
    assert {*documented, "findings"} <= {*report}
    assert (report["operations"], len(report["tools"])) == (5, 5)
    assert report["refusals"] == report["findings"] == []
    assert report["dangling"] == report["invalid"] == report["non_portable"] == 0
    assert report["bytes_per_tool"] < 2000
    assert not any(tool["exposed"] for tool in report["tools"])
    assert all(tool["reasons"]["effect"] and tool["reasons"]["tier"] for tool in report["tools"])


def test_the_second_command_publishes_what_the_overlay_exposes(toolhub: CliRunner) -> None:
    first = toolhub.invoke(app, commands()[1])
    again = toolhub.invoke(app, commands()[1])

    assert first.exit_code == 0, first.output
    assert "Published deals 1.4.0: 5 new tool version(s)." in first.output
    assert "0 new tool version(s)" in again.output


def test_the_last_command_connects_it(toolhub: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", "a-token")
    toolhub.invoke(app, commands()[1])

    connected = toolhub.invoke(app, commands()[2])

    assert "Connected crm: the tools of deals are offered in dev." in connected.output
    assert "cannot be reached" in connected.output  # the system of the example is nowhere
    assert connected.exit_code == 1


def test_registering_what_exposes_nothing_is_refused(toolhub: CliRunner) -> None:
    result = toolhub.invoke(app, ["connector", "import", "openapi", "deals.yaml", "--register"])

    assert result.exit_code == 1
    assert "No operation is exposed" in result.output


def test_what_is_no_document_ends_with_a_sentence(toolhub: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- a")

    result = toolhub.invoke(app, ["connector", "import", "openapi", "list.yaml"])

    assert result.exit_code == 1
    assert "no API document" in result.output
