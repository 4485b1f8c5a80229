"""`toolhub connector publish` makes tools, and shows field by field what a release changes."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli import command_line

app = command_line()

CONNECTOR = """
from typing import Annotated
from pydantic import BaseModel, Field
from connectors.sdk import Connector, Context, SafeRule

connector = Connector("shop", version="{version}", description="A shop.", safe=[SafeRule(method="GET")])


class Item(BaseModel):
    \"\"\"An item.\"\"\"

    name: str


@connector.read("{read}")
async def item(context: Context, id: Annotated[int, Field(ge=1, le={most})]) -> Item:
    \"\"\"Read an item.\"\"\"
    return await context.get("/items", Item)


@connector.read("steady")
async def steady(context: Context) -> Item:
    \"\"\"Read the first item.\"\"\"
    return await context.get("/first", Item)
"""


@pytest.fixture
def toolhub(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line of a hub with an empty database, beside a folder of connectors."""
    home = tmp_path / "var"
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")
    monkeypatch.setenv("TOOLHUB_HOME", str(home))
    monkeypatch.syspath_prepend(tmp_path)
    return CliRunner()


def write(folder: Path, module: str, *, version: str, read: str = "item_get", most: int = 100) -> str:
    """Write a release of the connector and return where it is found."""
    (folder / f"{module}.py").write_text(CONNECTOR.format(version=version, read=read, most=most))
    return f"{module}:connector"


def test_a_release_is_published_with_the_difference_field_by_field(toolhub: CliRunner, tmp_path: Path) -> None:
    first = toolhub.invoke(app, ["connector", "publish", write(tmp_path, "shop_one", version="1.0.0"), "--json"])
    second = write(tmp_path, "shop_two", version="1.1.0", most=200)

    shown = toolhub.invoke(app, ["connector", "publish", second, "--only-show"])
    published = toolhub.invoke(app, ["connector", "publish", second, "--json"])
    again = toolhub.invoke(app, ["connector", "publish", second])

    all_new = json.loads(first.stdout)
    assert (all_new["versions"], all_new["newer"]) == (2, None)
    assert [(one["operation"], one["kind"]) for one in all_new["differences"]] == [
        ("item_get", "new"),
        ("steady", "new"),
    ]
    assert {"pointer": "/effect", "after": "read"} in all_new["differences"][0]["fields"]
    assert "/input_schema/properties/id/maximum: 100 -> 200" in shown.stdout
    told = json.loads(published.stdout)
    assert told["versions"] == 2  # another code is another version of every tool
    by_operation = {one["operation"]: one for one in told["differences"]}
    changed = {field["pointer"]: (field["before"], field["after"]) for field in by_operation[None]["fields"]}
    assert changed["/version"] == ("1.0.0", "1.1.0")
    assert by_operation["item_get"]["fields"] == [
        {"pointer": "/input_schema/properties/id/maximum", "before": 100, "after": 200}
    ]
    assert "steady" not in by_operation
    assert "0 new tool version(s)" in again.stdout


def test_what_a_release_brings_and_takes_away_is_named(toolhub: CliRunner, tmp_path: Path) -> None:
    toolhub.invoke(app, ["connector", "publish", write(tmp_path, "shop_three", version="1.0.0")])
    renamed = write(tmp_path, "shop_four", version="2.0.0", read="item_read")

    shown = toolhub.invoke(app, ["connector", "publish", renamed, "--only-show"])

    assert "gone item_get" in shown.stdout
    assert "new item_read" in shown.stdout


def test_nothing_is_changed_by_only_showing(toolhub: CliRunner, tmp_path: Path) -> None:
    entry = write(tmp_path, "shop_five", version="1.0.0")

    first = toolhub.invoke(app, ["connector", "publish", entry, "--only-show", "--json"])
    second = toolhub.invoke(app, ["connector", "publish", entry, "--only-show", "--json"])

    assert json.loads(first.stdout) == json.loads(second.stdout)
    assert json.loads(first.stdout)["versions"] == 0


def test_a_release_is_in_use_beyond_dev_only_where_it_is_the_first_and_that_is_said(
    toolhub: CliRunner, tmp_path: Path
) -> None:
    toolhub.invoke(app, ["connector", "publish", write(tmp_path, "shop_six", version="1.0.0")])
    told = [
        toolhub.invoke(app, ["connector", "connect", "shop", f"shop-{at}", "--base-url", "http://127.0.0.1:1", *to])
        for at, to in (("dev", []), ("prod", ["--environment", "prod"]))
    ]
    second = write(tmp_path, "shop_seven", version="1.1.0", most=200)

    first_there = toolhub.invoke(app, ["connector", "publish", second, "--also", "prod"])
    again = toolhub.invoke(app, ["connector", "publish", second, "--also", "prod"])
    third = write(tmp_path, "shop_eight", version="1.2.0", most=300)
    refused = toolhub.invoke(app, ["connector", "publish", third, "--also", "prod"])
    in_dev = toolhub.invoke(app, ["connector", "publish", third])

    assert [one.exit_code for one in told] == [1, 1], "nothing answers there"
    says = " ".join(told[1].output.split())
    assert "so no tool is offered there: promote one by `toolhub promotion ask shop --to prod`." in says
    assert "2 new tool version(s)" in first_there.stdout, first_there.output
    assert "0 new tool version(s)" in again.stdout
    assert refused.exit_code == 1
    assert "shop 1.1.0 is in use in prod. Publish without --also prod" in " ".join(refused.output.split())
    assert "2 new tool version(s)" in in_dev.stdout


def test_an_older_release_is_said_to_be_older_and_goes_beyond_dev_only_if_that_is_meant(
    toolhub: CliRunner, tmp_path: Path
) -> None:
    newer, older = write(tmp_path, "shop_new", version="1.10.0"), write(tmp_path, "shop_old", version="1.9.0", most=50)
    toolhub.invoke(app, ["connector", "publish", newer])

    shown = toolhub.invoke(app, ["connector", "publish", older, "--only-show"])
    refused = toolhub.invoke(app, ["connector", "publish", older, "--also", "staging"])
    unchanged = toolhub.invoke(app, ["connector", "publish", newer, "--only-show"])
    in_dev = toolhub.invoke(app, ["connector", "publish", older, "--json"])
    toolhub.invoke(app, ["connector", "publish", newer])
    meant = toolhub.invoke(app, ["connector", "publish", older, "--also", "staging", "--older"])

    assert "Older: 1.9.0 takes the place of 1.10.0 in dev" in " ".join(shown.stdout.split())
    assert refused.exit_code == 1
    assert "shop 1.9.0 is older than 1.10.0" in " ".join(refused.stderr.split())
    assert "nothing would change" in " ".join(unchanged.stdout.split())
    assert (in_dev.exit_code, json.loads(in_dev.stdout)["newer"]) == (0, "1.10.0")
    assert meant.exit_code == 0, meant.output
    assert "Older:" in meant.stdout


def test_a_newer_release_needs_nobody_to_say_that_it_is_meant(toolhub: CliRunner, tmp_path: Path) -> None:
    toolhub.invoke(app, ["connector", "publish", write(tmp_path, "shop_nine", version="1.9.0")])

    told = toolhub.invoke(
        app, ["connector", "publish", write(tmp_path, "shop_ten", version="1.10.0"), "--also", "staging"]
    )

    assert told.exit_code == 0, told.output
    assert "Older:" not in told.stdout
