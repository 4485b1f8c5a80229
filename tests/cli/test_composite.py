"""`toolhub composite`: a declaration in a file becomes a tool, and what is wrong with it is said."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result
from upstream.composites import restock

from hub.cli.composite import composite_app

pytestmark = pytest.mark.usefixtures("connected_home")


def composite(command: str, folder: Path, declaration: Any = None) -> Result:  # noqa: ANN401  # any JSON value
    file = folder / "declaration.json"
    file.write_text(json.dumps(declaration))
    return CliRunner().invoke(composite_app, [command, *([] if declaration is None else [str(file)])])


def test_a_declaration_becomes_a_tool_once(tmp_path: Path) -> None:
    made = composite("declare", tmp_path, restock())
    again = composite("declare", tmp_path, restock())
    listed = composite("list", tmp_path)

    assert made.exit_code == 0, made.output
    assert "Version 1 of restock is offered: put, rename, count." in made.stdout
    assert "Nothing is new" in again.stdout
    assert "put → rename → count" in listed.stdout


def test_what_is_wrong_with_a_declaration_is_said(tmp_path: Path) -> None:
    unread = composite("declare", tmp_path, restock([]))
    refused = composite("declare", tmp_path, restock(name="item_put"))

    assert unread.exit_code == 1
    assert "is no declaration of a composite tool" in " ".join(unread.stderr.split())
    assert "/steps:" in unread.stderr
    assert refused.exit_code == 1
    assert "offers 'item_put' already" in " ".join(refused.stderr.split())
    assert "no composite tools" in composite("list", tmp_path).stdout
