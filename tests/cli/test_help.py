"""Help says in words what is to be given, and not how a library would read it."""

import pytest
from typer.testing import CliRunner

from hub.cli import command_line

app = command_line("account", "audit", "composite", "metrics", "pins")


@pytest.mark.parametrize(
    ("command", "said"),
    [("account create", "ROLE"), ("metrics show", "YYYY-MM-DD"), ("metrics recompute", "YYYY-MM-DD")],
)
def test_no_help_shows_how_values_are_read(monkeypatch: pytest.MonkeyPatch, command: str, said: str) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    told = CliRunner().invoke(app, [*command.split(), "--help"])

    assert told.exit_code == 0, told.output
    assert said in told.stdout
    assert "<%" not in told.stdout
    assert "list[" not in told.stdout


@pytest.mark.parametrize(
    "command",
    ["pins list", "pins show", "pins look", "pins accept", "pins refuse", "composite declare", "composite list"],
)
def test_help_shows_how_a_command_is_given(command: str) -> None:
    told = CliRunner().invoke(app, [*command.split(), "--help"])

    assert f"Example:  toolhub {command}" in told.stdout


def test_where_a_feed_begins_is_not_how_much_it_holds() -> None:
    told = CliRunner().invoke(app, ["audit", "feed", "--help"], env={"COLUMNS": "200"})

    assert "from this number on, not so many" in " ".join(told.stdout.split())
