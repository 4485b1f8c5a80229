"""`toolhub doctor` looks without touching anything, and says for each finding what to do."""

import json
import os
import pwd
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli import command_line

app = command_line()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a hub would live, with no `.env` beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "var"))
    return tmp_path / "var"


def findings() -> dict[str, Any]:
    """Return what the doctor finds, by what it looked at."""
    looked = CliRunner().invoke(app, ["doctor", "--json"])
    return {one["what"]: one for one in json.loads(looked.output)}


def test_looking_makes_nothing(home: Path) -> None:
    found = findings()

    assert not home.exists()
    assert not found["database"]["is_well"]
    assert "toolhub serve" in found["database"]["advice"]


def test_a_lost_master_key_is_missed_and_not_replaced(home: Path, sqlite_template: Path) -> None:
    home.mkdir()
    shutil.copyfile(sqlite_template, home / "toolhub.db")

    found = findings()

    assert "backup" in found["master key"]["advice"]
    assert not (home / "master.key").exists()


def test_a_database_that_does_not_answer_is_a_finding_with_advice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_DATABASE_URL", "postgresql+asyncpg://hub:secret-word@127.0.0.1:1/hub")

    found = findings()

    assert not found["database"]["is_well"]
    assert "TOOLHUB_DATABASE_URL" in found["database"]["advice"]
    assert found["master key"]["found"] == "not looked at: the database does not answer"
    assert found["master key"]["advice"] == "First the database."
    assert "secret-word" not in json.dumps(found)
    assert not (home / "master.key").exists()


@pytest.mark.usefixtures("home")
def test_a_misspelt_setting_is_named_wherever_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLHUB_PUBLIC_ULR", "https://hub.example")
    monkeypatch.setenv("TOOLHUB_SECRET_LOGIN", "hub")
    (tmp_path / ".env").write_text("TOOLHUB_SANDBOX_MINIMUN=full\n")

    found = findings()["settings"]

    assert not found["is_well"]
    assert "TOOLHUB_PUBLIC_ULR is no setting and does nothing. Did you mean TOOLHUB_PUBLIC_URL?" in found["found"]
    assert "Did you mean TOOLHUB_SANDBOX_MINIMUM?" in found["found"]
    assert "LOGIN" not in found["found"]


def test_an_issuer_that_cannot_be_asked_is_told_with_what_to_check(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"name": "acme", "title": "Acme", "issuer": "http://127.0.0.1:9/realm", "client_id": "hub"}
    monkeypatch.setenv("TOOLHUB_ISSUERS", json.dumps([named]))

    found = findings()["issuer acme"]

    assert not found["is_well"]
    assert "Acme cannot be asked" in found["found"]
    assert "TOOLHUB_ISSUERS" in found["advice"]
    assert not home.exists()


def test_a_program_that_cannot_be_started_is_told_with_its_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    commands = {"well": ["/bin/sh"], "missing": ["/no/such/program"], "text": ["/etc/passwd"], "folder": ["/etc"]}
    programs = [{"name": name, "command": command, "user": me} for name, command in commands.items()]
    programs.append({"name": "nowhere", "command": ["/bin/sh"], "user": me, "folder": "/no/such"})
    monkeypatch.setenv("TOOLHUB_STDIO_SERVERS", json.dumps(programs))

    found = findings()

    told = {name: found[f"program {name}"] for name in (*commands, "nowhere")}
    assert {name: one["is_well"] for name, one in told.items()} == {**dict.fromkeys(told, False), "well": True}
    assert told["missing"]["found"] == f"there is no /no/such/program that this user can see (as {me})"
    assert told["text"]["found"] == f"/etc/passwd is nothing that this user may run (as {me})"
    assert told["nowhere"]["found"] == f"its folder /no/such cannot be entered (as {me})"
    assert "TOOLHUB_STDIO_SERVERS" in told["text"]["advice"]
    assert not home.exists()


@pytest.mark.usefixtures("home")
def test_a_program_behind_a_link_that_leads_nowhere_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me, link = pwd.getpwuid(os.geteuid()).pw_name, tmp_path / "program"
    link.symlink_to(tmp_path / "no-such")
    program = {"name": "linked", "command": [str(link)], "user": me}
    monkeypatch.setenv("TOOLHUB_STDIO_SERVERS", json.dumps([program]))

    found = findings()["program linked"]

    assert found["found"] == f"{link} leads to where this user sees nothing (as {me})"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs programs as somebody else")
@pytest.mark.usefixtures("home")
def test_a_program_is_looked_at_with_the_rights_it_would_run_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o700)
    programs: list[dict[str, object]] = [{"name": "nobodys", "command": [str(own)]}]
    programs += [{"name": name, "command": [str(own)], "user": name} for name in ("root", "no-such")]
    monkeypatch.setenv("TOOLHUB_STDIO_SERVERS", json.dumps(programs))

    found = findings()

    assert found["program root"]["is_well"]
    assert not found["program nobodys"]["is_well"]
    assert found["program nobodys"]["found"].endswith("(as nobody)")
    assert found["program no-such"]["found"] == "there is no user no-such (as no-such)"
