"""`toolhub promotion`: releases are promoted with their gates shown, and taken back."""

import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from hub.cli import command_line
from hub.settings import Settings

app = command_line("connector", "promotion")

CONNECTOR = """
from pydantic import BaseModel
from connectors.sdk import Connector, Context, SafeRule

connector = Connector("shop", version="{version}", description="A shop.", safe=[SafeRule(method="GET")])


class Item(BaseModel):
    \"\"\"An item.\"\"\"

    name: str


@connector.read("item_get")
async def item(context: Context) -> Item:
    \"\"\"Read an item.\"\"\"
    return await context.get("/items", Item)
"""


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of a hub with an empty database, beside a folder of connectors."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    monkeypatch.syspath_prepend(tmp_path)
    for name, version in (("shelf_one", "1.0.0"), ("shelf_two", "1.1.0")):
        (tmp_path / f"{name}.py").write_text(CONNECTOR.format(version=version))
    return CliRunner()


def test_a_release_is_asked_for_shown_and_withdrawn(toolhub: CliRunner) -> None:
    toolhub.invoke(app, ["connector", "publish", "shelf_one:connector"])

    asked = toolhub.invoke(app, ["promotion", "ask", "shop", "--to", "staging", "--reason", "Tried.", "--json"])
    promotion = json.loads(asked.stdout)["id"]
    shown = toolhub.invoke(app, ["promotion", "show", promotion])
    used = toolhub.invoke(app, ["promotion", "use", promotion])
    withdrawn = toolhub.invoke(app, ["promotion", "withdraw", promotion, "--reason", "Not checked."])
    listed = toolhub.invoke(app, ["promotion", "list", "shop", "--json"])

    assert asked.exit_code == 1, "the contract kit has not tried it"
    assert "toolhub connector check shop" in " ".join(shown.stdout.split())
    assert used.exit_code == 1
    assert "Not every gate holds now." in " ".join(used.output.split())
    assert withdrawn.exit_code == 0, withdrawn.output
    assert [one["state"] for one in json.loads(listed.stdout)] == ["withdrawn"]


WRITES = """

from connectors.sdk import Effect, Tier, UpstreamClass


@connector.write("item_put", effect=Effect.CREATE, tier=Tier.HIGH, upstream_class=UpstreamClass.D)
async def item_put(context: Context, name: str) -> Item:
    \"\"\"Put an item there.\"\"\"
    return await context.post("/items", {{"name": name}}, Item)
"""


def test_a_first_release_waits_for_somebodys_word_and_misses_nothing(
    toolhub: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shelf_writes.py").write_text(f"{CONNECTOR}{WRITES}".format(version="1.0.0"))
    toolhub.invoke(app, ["connector", "publish", "shelf_writes:connector"])
    asking = ["promotion", "ask", "shop", "--to", "staging", "--reason", "Tried."]

    monkeypatch.setenv("TOOLHUB_PROMOTIONS", '{"staging": {"gates": ["path", "replay"]}}')
    asked = toolhub.invoke(app, asking)

    assert asked.exit_code == 0, asked.output
    assert "says on its page why it may be the first" in " ".join(asked.stdout.split())
    monkeypatch.setenv("TOOLHUB_PROMOTIONS", '{"staging": {"gates": ["badge", "replay"]}}')
    listed = toolhub.invoke(app, ["promotion", "list", "shop", "--json"])
    checked = toolhub.invoke(app, ["promotion", "check", json.loads(listed.stdout)[0]["id"]])
    assert checked.exit_code == 1, "the contract kit has not tried it"


def test_nothing_comes_to_prod_that_is_not_in_staging(toolhub: CliRunner) -> None:
    toolhub.invoke(app, ["connector", "publish", "shelf_one:connector"])

    refused = toolhub.invoke(app, ["promotion", "ask", "shop", "--to", "prod", "--reason", "In a hurry."])

    assert refused.exit_code == 1
    assert "No release of 'shop' is in use in staging; promote one there first." in " ".join(refused.output.split())


def test_a_line_that_nobody_could_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_PROMOTIONS", '{"prod": {"gates": ["path"], "line": {"divergence": 2}}}')
    with pytest.raises(ValidationError):
        Settings()
    monkeypatch.setenv("TOOLHUB_PROMOTIONS", '{"prod": {"gates": ["path"], "line": {"divergences": 2}}}')

    declared = Settings().promotions

    assert declared is not None
    assert (declared.prod.line.divergences, len(declared.staging.gates)) == (2, 2)


def test_the_record_is_played_again(toolhub: CliRunner) -> None:
    played = toolhub.invoke(command_line("audit"), ["audit", "replay", "--json"])

    assert played.exit_code == 0, played.output
    assert json.loads(played.stdout) == {"same": 0, "different": 0, "unsure": 0, "played": []}


def test_a_composite_tool_is_asked_for_by_its_name_and_says_what_is_missing(toolhub: CliRunner) -> None:
    wish = ["promotion", "composite", "restock", "--to", "staging", "--reason", "Tried."]

    unknown = toolhub.invoke(app, wish)
    unclear = toolhub.invoke(app, [*wish, "--over", "put"])

    assert "There is no composite tool 'restock' in dev." in f"{unknown.output}{unknown.exception}"
    assert unclear.exit_code == 1
    assert "--over takes STEP=CONNECTION; 'put' says no connection." in " ".join(unclear.output.split())
