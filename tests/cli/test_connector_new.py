"""`toolhub connector new` writes a project whose own tests pass as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import command_line

app = command_line()


def run(*command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a Python program in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=os.environ, capture_output=True, text=True, check=False
    )


@pytest.mark.more
def test_the_tests_of_a_new_project_pass_and_it_is_well_formed(tmp_path: Path) -> None:
    folder = tmp_path / "acme"

    written = CliRunner().invoke(app, ["connector", "new", "acme_crm", str(folder), "--title", 'The "Acme" CRM'])

    assert written.exit_code == 0, written.output
    tested = run("pytest", "-q", "-p", "no:cacheprovider", folder=folder)
    assert tested.returncode == 0, tested.stdout
    assert "2 passed" in tested.stdout
    rules = ["--isolated", "--line-length=120", "--select=E,F,I,UP,B"]
    formed = run("ruff", "check", *rules, "tests", "acme_crm", folder=folder)
    assert formed.returncode == 0, formed.stdout
    assert (folder / ".github/workflows/check.yml").is_file()
    assert 'acme_crm = "acme_crm:connector"' in (folder / "pyproject.toml").read_text()
    assert [path for path in folder.rglob("*") if path.suffix == ".jinja" or "{{" in path.name] == []


@pytest.mark.parametrize(
    "name", ["Acme", "acme-crm", "9lives", "a" * 33, "../up", "class", "json", "connectors", "hub", "tests"]
)
def test_a_name_that_no_connector_can_have_is_refused(name: str, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["connector", "new", name, str(tmp_path / "there")])

    assert told.exit_code == 1
    assert "cannot be a connector's name" in told.stderr.replace("\n", " ")
    assert not (tmp_path / "there").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "work.txt").write_text("mine")

    told = CliRunner().invoke(app, ["connector", "new", "acme", str(tmp_path)])

    assert told.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["work.txt"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "acme").write_text("mine")

    told = CliRunner().invoke(app, ["connector", "new", "acme", str(tmp_path / "acme")])

    assert (told.exit_code, type(told.exception)) == (1, SystemExit)
    assert "choose another" in told.stderr.replace("\n", " ")
    assert (tmp_path / "acme").read_text() == "mine"
