"""`toolhub server`: a definition in a file becomes a server, and what it changes is shown first."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hub.cli.server import server_app
from hub.opening import open_database
from hub.registry import server_proposals
from hub.settings import Settings

TOOLS = [{"tool": "item_get", "connection": "upstream", "name": "look_up", "needs_tasks": True}]
DESK = {"name": "desk", "environment": "dev", "title": "Desk", "tools": TOOLS}


pytestmark = pytest.mark.usefixtures("connected_home")


def server(*words: str) -> Result:
    return CliRunner().invoke(server_app, list(words))


def written(folder: Path, definition: dict[str, Any]) -> str:
    file = folder / "definition.json"
    file.write_text(json.dumps(definition))
    return str(file)


def test_a_server_is_checked_made_shown_changed_and_retired(tmp_path: Path) -> None:
    checked = server("check", written(tmp_path, DESK))
    made = server("put", written(tmp_path, DESK))
    again = server("put", written(tmp_path, DESK))
    shown = json.loads(server("show", "desk").stdout)
    changed = server("put", written(tmp_path, {**DESK, "tools": [{"tool": "item_get", "connection": "upstream"}]}))
    retired = server("retire", "desk", "--reason", "Closed.")

    assert "tool look_up" in checked.stdout
    assert "only those that know tasks" in " ".join(checked.stdout.split())
    assert "Listing: automatic lists every tool that the caller may use, up to 300" in " ".join(checked.stdout.split())
    assert "Listing:" not in changed.stdout
    assert "Published in dev: desk." in made.stdout
    assert "Nothing is new" in again.stdout
    assert shown == DESK
    assert "name of item_get of" in " ".join(changed.stdout.split())
    assert "Retired: desk." in retired.stdout
    assert "retired" in server("list").stdout
    assert server("show", "desk").exit_code == 1


def test_in_prod_it_is_proposed_with_a_reason(tmp_path: Path) -> None:
    live = written(tmp_path, {"name": "live", "environment": "prod", "title": "Live"})
    without = server("put", live)
    proposed = server("put", live, "--reason", "It is time.")

    assert without.exit_code == 1
    assert "Say why" in without.stderr
    assert "Proposed." in proposed.stdout
    assert server("show", "live").exit_code == 1

    async def waiting() -> list[str]:
        async with open_database(Settings()) as database, database.reading() as tx:
            return [one.reason for one in await server_proposals(tx)]

    assert asyncio.run(waiting()) == ["It is time."]


def test_what_is_wrong_with_a_definition_is_said(tmp_path: Path) -> None:
    unread = server("put", written(tmp_path, {**DESK, "environment": "home"}))
    refused = server("check", written(tmp_path, {**DESK, "groups": ["strangers"]}))

    assert unread.exit_code == 1
    assert "/environment:" in unread.stderr
    assert refused.exit_code == 1
    assert "there is no group 'strangers'" in " ".join(refused.stderr.split())
