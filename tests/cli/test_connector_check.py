"""`toolhub connector check` and `record` print a badge, keep it where it belongs, and fail when a line does."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner
from upstream.connector import connector
from upstream.fixtures import Upstream

from hub.cli import command_line
from hub.registry import Promise, badge_for
from hub.storage import Database

app = command_line()

HONEST, HARNESS = "upstream.connector:connector", "upstream.harness:opened_briefly"


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of a hub with an empty database."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    return CliRunner()


def test_a_connector_is_recorded_checked_again_and_its_badge_kept(toolhub: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "recording.json"

    recorded = toolhub.invoke(app, ["connector", "record", HONEST, str(file), "--on", HARNESS])
    assert recorded.exit_code == 0, recorded.output
    assert "No line failed." in recorded.output
    assert "Not tried: item_get" in recorded.output

    early = toolhub.invoke(app, ["connector", "check", HONEST, "--recording", str(file), "--keep"])
    assert early.exit_code == 1
    assert "publish it first" in early.stderr.replace("\n", " ")

    assert toolhub.invoke(app, ["connector", "publish", HONEST]).exit_code == 0
    kept = toolhub.invoke(app, ["connector", "check", HONEST, "--recording", str(file), "--keep", "--json"])
    assert kept.exit_code == 0, kept.output
    badge = json.loads(kept.stdout)
    assert badge["is_clean"] is True
    assert {line["grade"] for line in badge["lines"]} == {"recorded"}
    assert not undo_proven(tmp_path)


def test_what_was_done_and_undone_on_the_system_itself_is_proven_in_the_hub(toolhub: CliRunner, tmp_path: Path) -> None:
    toolhub.invoke(app, ["connector", "publish", HONEST])

    told = toolhub.invoke(app, ["connector", "check", HONEST, "--on", HARNESS, "--keep"])

    assert told.exit_code == 0, told.output
    assert "Kept the badge of upstream 1.0.0 in this hub's catalog." in " ".join(told.stderr.split())
    assert undo_proven(tmp_path)


def undo_proven(folder: Path) -> bool:
    """Return whether the hub's badge proves the undo of the one write that was tried."""

    async def read() -> bool:
        database = Database(f"sqlite+aiosqlite:///{folder / 'var' / 'toolhub.db'}")
        async with database.reading() as tx:
            badge = await badge_for(tx, connector.spec)
        await database.close()
        return badge is not None and badge.proves("item_update", Promise.UNDO)

    return asyncio.run(read())


def test_a_line_that_fails_is_an_exit_code(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", upstream.token)
    address = ["--on", upstream.base_url]

    told = toolhub.invoke(app, ["connector", "check", "upstream.classified:telling", *address, "--json"])

    assert told.exit_code == 1, told.output
    said = json.loads(told.stdout)
    assert said["untried"] == []
    failed = [line for line in said["lines"] if line["verdict"] == "failed"]
    assert [line["promise"] for line in failed] == ["throttling", "errors"]


def test_lines_that_failed_are_said_once_more_at_the_end(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", "another one")

    told = toolhub.invoke(app, ["connector", "check", HONEST, "--on", upstream.base_url])

    _, _, last = told.stdout.partition("line(s) failed:\n")
    assert "  item_get, " in last


@pytest.mark.parametrize("command", [["check", HONEST], ["record", HONEST, "recording.json"]], ids=["check", "record"])
def test_a_system_that_does_not_answer_is_told_with_what_to_do(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", upstream.token)
    upstream.kill()

    told = toolhub.invoke(app, ["connector", *command, "--on", upstream.base_url])

    assert (told.exit_code, told.stdout) == (1, "")
    assert f"{upstream.base_url} cannot be used, and nothing was tried" in " ".join(told.stderr.split())
    assert "Start it, or correct its address" in " ".join(told.stderr.split())
    assert not (tmp_path / "recording.json").exists()


def test_a_system_that_turns_a_probe_away_is_tried(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", "another one")

    told = toolhub.invoke(app, ["connector", "check", HONEST, "--on", upstream.base_url, "--json"])

    assert told.exit_code == 1
    lines = json.loads(told.stdout)["lines"]
    assert {line["verdict"] for line in lines} == {"failed", "not tried", "passed", "not applicable"}
    assert {line["reason"] for line in lines if line["verdict"] == "not tried"} == {
        "Repair the line that failed first."
    }


def test_where_nothing_could_be_written_nothing_is_tried(toolhub: CliRunner, tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "missing" / "file.json"):
        told = toolhub.invoke(app, ["connector", "record", HONEST, str(file), "--on", "nowhere:harness"])

        assert told.exit_code == 1
        assert "Nothing was tried" in " ".join(told.stderr.split())


def test_without_a_hub_a_connector_is_looked_for_among_the_installed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "var"))

    told = CliRunner().invoke(app, ["connector", "check", "nobody"])

    assert told.exit_code == 1
    assert "There is no connector 'nobody'" in told.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([HONEST], "Say which system"),
        ([HONEST, "--on", "localhost"], "is no harness and no address"),
        (["nowhere:connector", "--on", "http://127.0.0.1:1"], "Install its package"),
        ([HONEST, "--on", "nowhere:harness"], "cannot be loaded"),
        ([HONEST, "--recording", "nothing.json"], "cannot be read"),
        (["nobody"], "There is no connector 'nobody'"),
    ],
)
def test_what_is_missing_is_said(toolhub: CliRunner, arguments: list[str], says: str) -> None:
    told = toolhub.invoke(app, ["connector", "check", *arguments])

    assert told.exit_code == 1
    assert says in " ".join(told.stderr.split())


def test_a_file_that_is_no_recording_is_said(toolhub: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text('{"format": 7}')

    told = toolhub.invoke(app, ["connector", "check", HONEST, "--recording", str(file)])

    assert told.exit_code == 1
    assert "is no recording of this release" in told.stderr.replace("\n", " ")


@pytest.mark.parametrize("command", [["check", HONEST], ["record", HONEST, "recording.json"]], ids=["check", "record"])
def test_the_address_of_a_connection_is_tried_only_after_a_question(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", upstream.token)
    toolhub.invoke(app, ["connector", "publish", HONEST])
    made = toolhub.invoke(app, ["connector", "connect", "upstream", "shop", "--base-url", upstream.base_url])
    assert made.exit_code == 0, made.output
    seen = len(upstream.store.requests())

    refused = toolhub.invoke(app, ["connector", *command, "--on", f"{upstream.base_url}/"], input="n\n")
    unasked = toolhub.invoke(app, ["connector", *command, "--on", upstream.base_url])
    untouched = len(upstream.store.requests()) == seen
    tried = toolhub.invoke(app, ["connector", *command, "--on", upstream.base_url, "--yes"])

    assert (refused.exit_code, unasked.exit_code, untouched) == (1, 1, True)
    assert "where connections of this hub lead (shop)" in " ".join(refused.stderr.split())
    assert "Try it there all the same" not in tried.output
    assert len(upstream.store.requests()) > seen
