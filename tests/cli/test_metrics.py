"""`toolhub metrics`: numbers in a table, as JSON and as CSV, and days counted anew."""

import asyncio
import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.cli.metrics import metrics_app
from hub.metrics import METRICS
from hub.opening import open_database
from hub.settings import Settings
from hub.storage.migrations import upgrade

Toolhub = Callable[..., Result]


@pytest.fixture
def toolhub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolhub:
    """The command, in a hub in which nothing has happened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "home"))
    asyncio.run(_migrated())
    return lambda *arguments: CliRunner().invoke(metrics_app, [*arguments])


async def _migrated() -> None:
    async with open_database(Settings()) as database:
        await upgrade(database)


def test_numbers_are_shown_with_what_they_mean(toolhub: Toolhub) -> None:
    told = toolhub("show", "--formulas")

    assert told.exit_code == 0, told.output
    assert told.output.count("no data") == len(METRICS)
    assert "Approval frequency: decided / settled" in told.output


def test_numbers_come_as_json(toolhub: Toolhub) -> None:
    told = json.loads(toolhub("show", "--from", "2026-11-01", "--to", "2026-11-21", "--json").output)

    assert (told["first"], told["last"]) == ("2026-11-01", "2026-11-21")
    assert told["metrics"]["rollback_rate"]["formula"] == "undone / committed"
    assert {one["value"] for one in told["items"][0]["values"]} == {None}


def test_numbers_come_as_csv_with_their_formulas(toolhub: Toolhub, tmp_path: Path) -> None:
    printed = toolhub("export", "--from", "2026-11-01", "--to", "2026-11-21").output
    toolhub("export", "--from", "2026-11-01", "--to", "2026-11-21", "--output", str(tmp_path / "out.csv"))

    rows = list(csv.DictReader(StringIO(printed)))
    assert [row["metric"] for row in rows] == [one.name for one in METRICS]
    assert rows[0]["formula"] == "decided / settled"
    assert list(csv.DictReader(StringIO((tmp_path / "out.csv").read_text()))) == rows


def test_what_is_wrong_is_told_in_a_sentence(toolhub: Toolhub) -> None:
    told = toolhub("show", "--from", "2026-11-21", "--to", "2026-11-01")

    assert told.exit_code == 1
    assert "before the first" in " ".join((told.output + told.stderr).split())
    assert toolhub("show", "--tool", "upstream/nothing").exit_code == 1


def test_days_are_counted_anew(toolhub: Toolhub) -> None:
    told = toolhub("recompute", "--from", "2026-11-01")

    assert told.exit_code == 0, told.output
    assert "0 days were counted anew." in told.output
