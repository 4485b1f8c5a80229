"""The README tells the truth: settings and their defaults, commands, tools and addresses are those of the hub."""

import json
import re
import shlex
from pathlib import PurePath

import pytest
import typer
from click import Group

from architecture.tree import ROOT, Tree
from hub.cli import command_line
from hub.identity.clients import AUTHENTICATION_METHODS
from hub.identity.grants_types import GRANT_TYPES
from hub.registry import MOST_LISTED, Listing, ServerDefinition
from hub.registry.names import HUB_TOOLS
from hub.settings import Settings

app = command_line()

TEXT = (ROOT / "README.md").read_text()
SETTINGS = dict(re.findall(r"^\| `TOOLHUB_(\w+)` \| (.*?) \|", TEXT, re.MULTILINE))
COMMANDS = [
    (block.place, words)
    for block in Tree.tracked().blocks()
    if block.language == "sh"
    for words in re.findall(r"^(?:\.venv/bin/)?toolhub ([^|>#\n]+)", block.text, re.MULTILINE)
]


def test_every_setting_is_in_the_table() -> None:
    assert {name.lower() for name in SETTINGS} == set(Settings.model_fields)


DEFAULTS = {
    *("home", "host", "port", "environment", "mail_port", "mail_tls", "slack_api"),
    *("keep_bodies_days", "keep_decisions_days"),
}


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_defaults_are_those_of_the_hub(name: str) -> None:
    default = Settings.model_fields[name].default

    shown = str(default) if not isinstance(default, PurePath) else default.as_posix()

    assert SETTINGS[name.upper()] == f"`{shown}`"


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - DEFAULTS))
def test_what_is_shown_as_made_up_has_no_default(name: str) -> None:
    assert not Settings.model_fields[name].default


@pytest.mark.parametrize(("place", "words"), COMMANDS)
def test_every_command_shown_is_one_of_the_hub(place: str, words: str) -> None:
    command = typer.main.get_command(app)
    for word in shlex.split(words):
        if not isinstance(command, Group):
            break
        assert word in command.commands, f"{place}: toolhub {words}"
        command = command.commands[word]


def test_the_file_of_settings_that_it_names_is_never_committed() -> None:
    assert "a file `.env`" in TEXT
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_server_that_it_declares_can_be_declared() -> None:
    shown = re.search(r"^```json file=desk\.json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)

    assert shown is not None
    assert [one.published_name for one in ServerDefinition.model_validate_json(shown[1]).tools] == ["search", "add"]


def test_how_servers_list_their_tools_is_told_with_the_number() -> None:
    listing = re.search(r"every tool that its caller may use, up to (\d+) of\s", TEXT)

    assert listing is not None
    assert int(listing[1]) == MOST_LISTED
    assert {"all", "search"} <= {one.value for one in Listing}


def test_the_program_that_it_allows_can_be_allowed() -> None:
    shown = re.search(r"`TOOLHUB_STDIO_SERVERS` allows it[^`]*`([^`]+)`", TEXT)

    assert shown is not None
    assert Settings.model_validate({"stdio_servers": json.loads(shown[1])}).stdio_servers[0].name == "notes"


def test_the_hub_offers_the_ways_to_a_token_that_it_names() -> None:
    assert {"authorization_code", "client_credentials", "refresh_token"} <= set(GRANT_TYPES)
    assert "client_secret_basic" in AUTHENTICATION_METHODS


def test_the_tools_of_the_hub_that_it_names_exist() -> None:
    named = set(re.findall(r"`(hub_\w+)`", TEXT))

    assert named
    assert named <= set(HUB_TOOLS)


def test_the_picture_is_there() -> None:
    picture = re.search(r"!\[[^\]]{20,}\]\(([^)]+\.png)\)", TEXT)

    assert picture is not None
    assert (ROOT / picture[1]).read_bytes().startswith(b"\x89PNG")
