"""Settings never show a secret: not by themselves, not in errors, not in what `doctor` prints."""

import json
import re
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from typer.testing import CliRunner

from hub.cli import command_line
from hub.identity.issuers import Issuer
from hub.registry.server_definitions import ServerDefinition
from hub.settings import Settings

app = command_line()

PASSWORD = "db-Passw0rd"  # made up
POSTGRESQL = f"postgresql+asyncpg://hub:{PASSWORD}@127.0.0.1:9/hub"


README = (Path(__file__).parents[2] / "README.md").read_text()


def example(name: str) -> object:
    """Return what the README shows under this name."""
    (shown,) = re.findall(rf"^```json file={re.escape(name)}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return json.loads(shown)


def test_the_examples_of_the_readme_are_what_settings_and_servers_may_say(tmp_path: Path) -> None:
    shown = {"issuers": example("issuers.json"), "newcomers": example("newcomers.json")}
    chosen = Settings.model_validate({"home": tmp_path, **shown})
    desk = ServerDefinition.model_validate(example("desk.json"))

    assert chosen.issuers[0].admits == "groups"
    assert chosen.newcomers is not None
    assert chosen.newcomers.admits("claude.ai")
    assert [one.published_name for one in desk.tools] == ["search", "add"]


def test_settings_show_no_password_of_the_database(tmp_path: Path) -> None:
    chosen = Settings(home=tmp_path, database_url=SecretStr(POSTGRESQL))

    assert chosen.database == POSTGRESQL
    assert PASSWORD not in f"{chosen!r} {chosen} {chosen.model_dump()} {chosen.model_dump_json()}"


@pytest.mark.parametrize("wrong", [f"mysql://hub:{PASSWORD}@db/hub", f"postgresql+asyncpg://hub:{PASSWORD}@db:x/hub"])
def test_an_error_about_the_settings_shows_no_password(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(home=tmp_path, database_url=SecretStr(wrong))

    assert PASSWORD not in f"{caught.value}{caught.value!r}"


def test_doctor_shows_no_password_of_a_database_that_it_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOOLHUB_DATABASE_URL", POSTGRESQL)

    told = CliRunner().invoke(app, ["doctor", "--json"])

    assert told.exit_code == 1
    assert PASSWORD not in told.output + repr(told.exception)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://login.example.org"},
        {"issuer": "https://login.example.org/?tenant=1"},
        {"issuer": "http://127.0.0.1:8420"},
        {"name": "Acme Corp"},
        {"groups": ["finance"]},
        {"admits": "anybody"},
        {"tokens": {"agents": {}, "scopes": {"all": ["everything"]}}},
        {"colour": "blue"},
    ],
    ids=str,
)
def test_an_issuer_that_cannot_be_meant_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    usual = {"name": "acme", "title": "Acme", "issuer": "https://login.example.org", "client_id": "hub"}
    Settings(home=tmp_path, issuers=(Issuer.model_validate(usual),))

    with pytest.raises(ValidationError):
        Settings.model_validate({"home": tmp_path, "issuers": [{**usual, **changes}]})


def test_issuers_have_different_names_and_show_no_secret(tmp_path: Path) -> None:
    usual = {"name": "acme", "title": "Acme", "issuer": "https://login.example.org", "client_id": "hub"}
    chosen = Settings.model_validate({"home": tmp_path, "issuers": [{**usual, "client_secret": PASSWORD}]})

    assert PASSWORD not in f"{chosen!r}{chosen.model_dump_json()}"
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"home": tmp_path, "issuers": [usual, {**usual, "client_secret": PASSWORD}]})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "WEBHOOKS",
            f'[{{"secrets": ["{PASSWORD}"',
            "TOOLHUB_WEBHOOKS is no valid JSON: Expecting ',' delimiter at line 1",
        ),
        ("ISSUERS", "acme", "TOOLHUB_ISSUERS is no valid JSON: Expecting value at line 1, column 1."),
        ("WEBHOOKS", '[{"name": "ops"}]', "TOOLHUB_WEBHOOKS, at 0/url: Field required"),
        (
            "STDIO_SERVERS",
            '[{"name": "notes", "command": "/usr/bin/notes"}]',
            "TOOLHUB_STDIO_SERVERS, at 0/command: Input should be a JSON list",
        ),
        ("STDIO_SERVERS", '["notes"]', "TOOLHUB_STDIO_SERVERS, at 0: Input should be a JSON object"),
        ("PRIVATE_NETWORKS", '"10.0.0.0/8"', "TOOLHUB_PRIVATE_NETWORKS: Input should be a JSON list"),
        ("PRIVATE_NETWORKS", "10.0.0.0/8", "TOOLHUB_PRIVATE_NETWORKS: Input should be a JSON list"),
        ("SCRAPE_TOKEN", "short", "TOOLHUB_SCRAPE_TOKEN: Value should have at least 16 characters, not 5"),
        ("PORT", "abc", "TOOLHUB_PORT: Input should be a valid integer"),
        ("PUBLIC_URL", "http://hub.example.org", "TOOLHUB_PUBLIC_URL must begin with https://"),
        (
            "MAIL_HOST",
            "mail.example.org",
            "TOOLHUB_MAIL_FROM must be an e-mail address, NAME@DOMAIN, where TOOLHUB_MAIL_HOST",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_as_it_is_set(
    name: str, value: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"TOOLHUB_{name}", value)

    told = CliRunner().invoke(app, ["doctor"])

    assert told.exit_code == 1
    assert isinstance(told.exception, SystemExit)
    assert says in " ".join(told.stderr.split())
    assert PASSWORD not in told.output
