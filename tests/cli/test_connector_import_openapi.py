"""`toolhub connector import openapi`: what it prints can be told apart, understood and gone on with."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hub.cli import command_line
from hub.cli.console import out

app = command_line()

PATHS = [f"/crm/objects/2026-09/batch/{name}" for name in ("archive", "create", "upsert")]
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Objects", "version": "1"},
    "servers": [{"url": "https://api.example.com"}],
    "paths": {path: {"get": {"responses": {"200": {"description": "Found."}}}} for path in PATHS},
}


def imported(*more: str) -> Result:
    return CliRunner().invoke(app, ["connector", "import", "openapi", "objects.json", *more])


@pytest.fixture(autouse=True)
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A document whose tools begin alike, in the folder at hand."""
    monkeypatch.setattr(out, "width", 200)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "objects.json"
    file.write_text(json.dumps(DOCUMENT))
    return file


def test_each_tool_is_shown_with_its_operation_and_each_figure_and_head_is_explained() -> None:
    told = imported().stdout

    assert all(f"GET {path}" in told for path in PATHS)
    for words in (
        "bytes per tool",
        "that a model reads to know one tool",
        "references in their schemas",
        "class: what",
    ):
        assert words in told


def test_what_is_said_to_come_next_exposes_a_tool(tmp_path: Path) -> None:
    told = imported().stdout
    overlay = "".join(f"{line[2:]}\n" for line in told.splitlines() if line.startswith("  ") and ":" in line)
    (tmp_path / "objects.overlay.yaml").write_text(overlay)
    (command,) = re.findall(r"^Then publish it: toolhub (.*)$", told, re.MULTILINE)

    words = shlex.split(command)
    assert words[-1] == "--register"
    again = CliRunner().invoke(app, words[:-1])

    assert again.exit_code == 0, again.output
    assert re.search(r"exposed +1 ", again.stdout)
    assert "Nothing is exposed yet" not in again.stdout


def test_a_name_that_no_connector_may_have_is_said() -> None:
    told = imported("--name", "Objects")

    assert told.exit_code == 1
    assert "'Objects' cannot be a connector's name" in told.stderr.replace("\n", " ")
