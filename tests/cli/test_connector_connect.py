"""`toolhub connector connect`, `try` and `correct`: each says what came of the address and the credential."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner
from upstream.fixtures import Upstream

from hub.cli import command_line

app = command_line()


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of a hub that knows the upstream's connector."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()
    published = runner.invoke(app, ["connector", "publish", "upstream.connector:connector"])
    assert published.exit_code == 0, published.output
    return runner


def test_a_connection_is_tried_when_made_and_corrected_until_it_works(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", "not the token")
    nowhere = ["connector", "connect", "upstream", "shop", "--base-url", "http://127.0.0.1:1"]

    made = toolhub.invoke(app, nowhere)
    refused = toolhub.invoke(app, ["connector", "correct", "shop", "--base-url", upstream.base_url])
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", upstream.token)
    corrected = toolhub.invoke(app, ["connector", "correct", "shop", "--credential"])

    assert made.exit_code == 1, made.output
    assert "Connected shop" in made.output
    assert "cannot be reached" in made.output
    assert "Nothing listens at the system's address" in " ".join(made.output.split())
    assert "certificate" not in made.output
    assert "toolhub connector correct shop" in made.output
    assert refused.exit_code == 1
    assert "does not accept the credential" in refused.output
    assert corrected.exit_code == 0, corrected.output
    assert "It works." in corrected.output
    assert toolhub.invoke(app, ["connector", "try", "shop"]).exit_code == 0
    assert upstream.store.effects() == []


def test_another_systems_address_asks_for_its_credential(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", upstream.token)
    toolhub.invoke(app, ["connector", "connect", "upstream", "shop", "--base-url", "http://127.0.0.1:1"])
    monkeypatch.delenv("TOOLHUB_SECRET_TOKEN")

    silent = toolhub.invoke(app, ["connector", "correct", "shop", "--base-url", upstream.base_url])

    assert silent.exit_code == 1
    assert "token" in silent.output.lower()
    assert upstream.store.requests() == []


@pytest.mark.parametrize(
    ("words", "says"), [(("try", "shop"), "no connection 'shop'"), (("correct", "shop"), "Say what to correct")]
)
def test_a_mistake_is_said_in_a_sentence(toolhub: CliRunner, words: tuple[str, ...], says: str) -> None:
    ended = toolhub.invoke(app, ["connector", *words])

    assert ended.exit_code == 1
    assert says in ended.output


def test_the_list_has_what_is_installed_published_and_connected(
    toolhub: CliRunner, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLHUB_SECRET_TOKEN", upstream.token)
    toolhub.invoke(app, ["connector", "connect", "upstream", "shop", "--base-url", upstream.base_url])

    told = toolhub.invoke(app, ["connector", "list"])
    listed = json.loads(toolhub.invoke(app, ["connector", "list", "--json"]).stdout)

    assert {"tryton", "smtp"} <= listed["installed"].keys()
    assert listed["published"] == [{"name": "upstream", "version": "1.0.0", "in_use": {"dev": "1.0.0"}}]
    assert listed["connections"] == [
        {
            "name": "shop",
            "connector": "upstream",
            "environment": "dev",
            "address": upstream.base_url,
            "stands": "in use",
        }
    ]
    assert all(words in told.stdout for words in ("tryton", "upstream", "shop", upstream.base_url))


def test_where_no_hub_has_run_the_list_has_what_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "nothing"))

    told = CliRunner().invoke(app, ["connector", "list"])

    assert told.exit_code == 0, told.output
    assert "tryton" in told.stdout
    assert "Connections none" in " ".join(told.stdout.split())
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("upsteam", "There is no connector 'upsteam'. Did you mean upstream?"),
        ("xyzzy", "There is no connector 'xyzzy'. `toolhub connector publish` or `import` brings one."),
        ("tryton", "'tryton' is not published. Run `toolhub connector publish tryton` first."),
    ],
)
def test_a_connector_that_is_not_here_is_refused_with_what_was_meant(toolhub: CliRunner, name: str, says: str) -> None:
    told = toolhub.invoke(app, ["connector", "connect", name, "shop", "--base-url", "http://127.0.0.1:1"])

    assert told.exit_code == 1
    assert says in " ".join(told.stderr.split())
