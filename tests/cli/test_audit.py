"""`toolhub audit`: an export verifies, a changed one does not and says where, and every refusal says what to do."""

import asyncio
import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.audit import Event, EventKind, append_many, sequence
from hub.cli.audit import audit_app
from hub.opening import open_database, open_keyring
from hub.settings import Settings
from hub.storage.migrations import upgrade

Toolhub = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a hub with three events, named in the environment as an operator would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "home"))
    asyncio.run(_append(3))
    return tmp_path


async def _append(count: int) -> None:
    chosen = Settings()
    async with open_database(chosen) as database:
        await upgrade(database)
        keys = await open_keyring(chosen, database)
        events = [
            Event(kind=EventKind.COMMIT_SENT, subject=f"inv_{number}", private={"email": f"a{number}@example.org"})
            for number in range(count)
        ]
        async with database.transaction() as tx:
            await append_many(tx, events, keys)
        await sequence(database, keys)


@pytest.fixture
def toolhub() -> Toolhub:
    """Run `toolhub audit` with the given words."""

    def toolhub(*words: str) -> Result:
        return CliRunner().invoke(audit_app, words)

    return toolhub


def change(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert old in content
    file.write_bytes(content.replace(old, new, 1))


def test_an_export_is_for_its_owner_alone_and_verifies(home: Path, toolhub: Toolhub) -> None:
    exported = toolhub("export", "log.jsonl")
    verified = toolhub("verify", "log.jsonl")

    assert (exported.exit_code, verified.exit_code) == (0, 0)
    assert "Exported 4 events" in exported.stdout
    assert "Proven: 4 events" in verified.stdout
    assert stat.S_IMODE((home / "log.jsonl").stat().st_mode) == 0o600
    assert sorted(path.name for path in home.iterdir()) == ["home", "log.jsonl"]


def test_a_changed_byte_ends_in_exit_code_1_and_says_where(home: Path, toolhub: Toolhub) -> None:
    toolhub("export", "log.jsonl")
    change(home / "log.jsonl", b"inv_1", b"inv_7")

    verified = toolhub("verify", "log.jsonl")

    assert verified.exit_code == 1
    assert "line 3, event 1: inclusion" in verified.stderr
    assert "Proven" not in verified.stdout


def test_a_changed_value_names_its_field_in_json(home: Path, toolhub: Toolhub) -> None:
    toolhub("export", "log.jsonl", "--with-values")
    change(home / "log.jsonl", b"a1@example.org", b"a2@example.org")

    verified = toolhub("verify", "log.jsonl", "--json")

    report = json.loads(verified.stdout)
    assert (verified.exit_code, report["proven"]) == (1, False)
    (finding,) = report["findings"]
    assert (finding["event"], finding["field"], finding["proof"]) == (1, "email", "commitment")


def test_what_a_foreign_file_says_does_not_reach_the_terminal_as_it_is(home: Path, toolhub: Toolhub) -> None:
    toolhub("export", "log.jsonl", "--with-values")
    change(home / "log.jsonl", b'"values":{', rb'"values":{"[red]\u001b[2J":null,')

    verified = toolhub("verify", "log.jsonl")

    assert verified.exit_code == 1
    assert "[red]\ufffd[2J" in verified.stderr
    assert "\x1b" not in verified.stderr


def test_values_stay_closed_unless_asked_for(home: Path, toolhub: Toolhub) -> None:
    toolhub("export", "closed.jsonl")
    opened = toolhub("export", "open.jsonl", "--with-values", "--json")

    assert "example.org" not in (home / "closed.jsonl").read_text()
    assert "a1@example.org" in (home / "open.jsonl").read_text()
    assert json.loads(opened.stdout) == {"file": "open.jsonl", "events": 5, "values": True}


def test_an_export_continues_the_checkpoint_that_was_kept(home: Path, toolhub: Toolhub) -> None:
    (home / "kept.checkpoint").write_text(toolhub("checkpoint").stdout)
    asyncio.run(_append(2))

    toolhub("export", "new.jsonl", "--since-checkpoint", "kept.checkpoint")
    verified = toolhub("verify", "new.jsonl", "--since-checkpoint", "kept.checkpoint", "--json")

    report = json.loads(verified.stdout)
    assert (verified.exit_code, report["first"], report["events"], report["continues"]) == (0, 3, 3, 3)


@pytest.mark.usefixtures("home")
def test_keys_that_the_operator_handed_out_are_trusted_others_are_not(toolhub: Toolhub) -> None:
    toolhub("export", "log.jsonl")
    (key,) = toolhub("keys").stdout.split()
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

    trusted = toolhub("verify", "log.jsonl", "--key", key, "--json")
    foreign = toolhub("verify", "log.jsonl", "--key", other)

    assert (trusted.exit_code, json.loads(trusted.stdout)["is_key_trusted"]) == (0, True)
    assert foreign.exit_code == 1
    assert "signature" in foreign.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("verify", "missing.jsonl"), "cannot be read"),
        (("verify", "log.jsonl", "--since-checkpoint", "missing"), "cannot be read"),
        (("verify", "log.jsonl", "--key", "x"), "not a verifier key"),
        (("verify", "empty.jsonl"), "Not proven"),
        (("export", "missing/log.jsonl"), "cannot be written"),
        (("export", "log.jsonl", "--since-checkpoint", "empty.jsonl"), "not a checkpoint"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    home: Path, toolhub: Toolhub, words: tuple[str, ...], message: str
) -> None:
    (home / "empty.jsonl").write_bytes(b"")

    result = toolhub(*words)

    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())
    assert not (home / "log.jsonl").exists()


def test_verifying_touches_no_hub(
    tmp_path: Path, home: Path, toolhub: Toolhub, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolhub("export", "log.jsonl")
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("TOOLHUB_DATABASE_URL", "not a database")

    verified = toolhub("verify", str(home / "log.jsonl"))

    assert verified.exit_code == 0
    assert not (home / "nowhere").exists()


@pytest.mark.parametrize("command", ["export", "verify", "checkpoint", "keys"])
def test_help_shows_an_example(toolhub: Toolhub, command: str) -> None:
    assert f"toolhub audit {command}" in toolhub(command, "--help").stdout


def test_evidence_on_one_invocation_verifies_and_gives_its_page(home: Path, toolhub: Toolhub) -> None:
    file, page = home / "case.jsonl", home / "case.html"

    made = toolhub("evidence", "inv_1", str(file), "--with-values")
    verified = toolhub("verify", str(file), "--page", str(page))

    assert (made.exit_code, verified.exit_code) == (0, 0)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Proven: 1 events of evidence on inv_1, numbers 1 to 1 of the log" in verified.output
    assert "Sent to the system" in page.read_text()
    assert "no hub was asked what they are called" in page.read_text()
    assert "a1@example.org" in page.read_text()
    assert "a2@example.org" not in file.read_text()


def test_names_on_the_page_are_looked_up_where_a_hub_is_and_refused_elsewhere(
    home: Path, toolhub: Toolhub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, page = home / "case.jsonl", home / "case.html"
    toolhub("evidence", "inv_1", str(file))

    asked = toolhub("verify", str(file), "--page", str(page), "--names")
    monkeypatch.setenv("TOOLHUB_HOME", str(tmp_path / "nowhere"))
    refused = toolhub("verify", str(file), "--page", str(home / "other.html"), "--names")

    assert asked.exit_code == 0
    assert "looked up in a hub's database on" in " ".join(page.read_text().split()).replace("&#39;", "'")
    assert refused.exit_code == 1
    assert "no hub's database here" in " ".join(refused.output.split())
    assert not (home / "other.html").exists()


def test_evidence_that_was_changed_gives_no_page(home: Path, toolhub: Toolhub) -> None:
    file, page = home / "case.jsonl", home / "case.html"
    toolhub("evidence", "inv_1", str(file), "--with-values")
    change(file, b"a1@example.org", b"a9@example.org")

    verified = toolhub("verify", str(file), "--page", str(page))

    assert verified.exit_code == 1
    assert "Not proven" in verified.output
    assert not page.exists()


def test_evidence_without_values_says_how_they_are_included(home: Path, toolhub: Toolhub) -> None:
    closed = toolhub("evidence", "inv_1", str(home / "closed.jsonl"))
    opened = toolhub("evidence", "inv_1", str(home / "open.jsonl"), "--with-values")

    assert "--with-values writes that, too" in " ".join(closed.output.split())
    assert "--with-values" not in opened.output


def test_evidence_is_refused_on_what_the_log_does_not_know_and_leaves_no_file(home: Path, toolhub: Toolhub) -> None:
    refused = toolhub("evidence", "inv_9", str(home / "case.jsonl"))

    assert refused.exit_code == 1
    assert "inv_9" in refused.output
    assert [one.name for one in home.iterdir()] == ["home"]


def test_an_export_has_no_page(home: Path, toolhub: Toolhub) -> None:
    toolhub("export", str(home / "log.jsonl"))

    refused = toolhub("verify", str(home / "log.jsonl"), "--page", str(home / "log.html"))

    assert refused.exit_code == 1
    assert "--page is for evidence" in refused.output


def test_a_feed_goes_on_where_it_ended(home: Path, toolhub: Toolhub) -> None:
    file = home / "events.jsonl"

    first = toolhub("feed", str(file), "--format", "cloudevents")
    again = toolhub("feed", str(file), "--format", "cloudevents", "--first", "4", "--replace")
    beyond = toolhub("feed", str(file), "--format", "ocsf", "--first", "99", "--replace")

    assert (first.exit_code, again.exit_code, beyond.exit_code) == (0, 0, 1)
    assert "--first 4" in first.output
    assert [json.loads(line)["position"] for line in file.read_text().splitlines()] == ["4"]
    assert "numbered events" in beyond.output


@pytest.mark.parametrize(
    "words",
    [("export", "kept"), ("feed", "kept", "--format", "ocsf"), ("evidence", "inv_1", "kept")],
    ids=lambda words: words[0],
)
def test_a_file_that_is_there_is_replaced_only_if_asked(home: Path, toolhub: Toolhub, words: tuple[str, ...]) -> None:
    (home / "kept").write_text("of last year")

    refused = toolhub(*words)

    assert refused.exit_code == 1
    assert "add --replace" in " ".join(refused.output.split())
    assert (home / "kept").read_text() == "of last year"
    assert toolhub(*words, "--replace").exit_code == 0
    assert (home / "kept").read_text() != "of last year"
