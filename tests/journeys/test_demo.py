"""The demo as somebody runs it: the command, its children, its table, and what is left when it has ended."""

import fcntl
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.tryton_server import Person, TrytonServer, install
from hub.audit import verify_export
from hub.cli.demo.balance import balance
from hub.cli.demo.record import RecordedCall, recorded_calls

pytestmark = pytest.mark.tryton

Json = Any
LONGEST = 540
WRITES = ("party_contact_update", "sale_quote", "party_payment_term_set", "invoice_post")


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one unattended run that has ended well, shared by all workers: it takes a minute."""
    root = tmp_path_factory.getbasetemp()
    shared = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "demo"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "summary.json").exists():
            demo = _start("--unattended", "--json", "--home", str(shared / "home"))
            said, story = demo.communicate(timeout=LONGEST)
            assert demo.returncode == 0, story
            assert _of_session(demo.pid) == []
            (shared / "summary.json").write_text(said)
    (home,) = (shared / "home").iterdir()
    return home


@pytest.fixture
def summary(run: Path) -> Json:
    """What that run says happened."""
    return json.loads((run.parent.parent / "summary.json").read_text())


@pytest.fixture
def calls(summary: Json) -> dict[str, Json]:
    """The writes of that run by tool; each was made once."""
    writes = [call for call in summary["calls"] if call["effect"] not in {"", "read"}]
    assert sorted(call["tool"] for call in writes) == sorted(WRITES)
    return {call["tool"]: call for call in writes}


@pytest.fixture
def tryton(run: Path, tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[TrytonServer]:
    """That run's Tryton, as it was left, started once more from a copy."""
    left = shutil.copytree(run / "tryton", tmp_path / "tryton")
    with TrytonServer(install(pytestconfig.rootpath / ".venvs", print), left) as server:
        yield server


@pytest.fixture
def clerk(tryton: TrytonServer) -> Iterator[Person]:
    person = tryton.person("clerk")
    yield person
    person.close()


@pytest.fixture
def recorded(run: Path) -> list[RecordedCall]:
    """The calls of that run, as its audit export has them."""
    return recorded_calls(run / "hub" / "audit.jsonl")


def test_reads_execute_at_once(summary: Json) -> None:
    reads = [call for call in summary["calls"] if call["effect"] == "read"]

    assert reads
    assert {(call["state"], call["decision"], call["sent"]) for call in reads} == {("SUCCEEDED", "at once", 0)}


def test_a_medium_write_is_previewed_and_commits_by_itself(calls: Json) -> None:
    write = calls["party_contact_update"]

    assert (write["tier"], write["decision"], write["previews"], write["state"]) == (
        "medium",
        "by policy",
        1,
        "VERIFIED",
    )
    assert write["in_tryton"] == {"value": "orders@bluebird-cycles.example"}


def test_a_high_write_is_approved_by_another_person_and_never_by_the_requester(calls: Json) -> None:
    write = calls["sale_quote"]

    assert (write["tier"], write["voters"], write["state"]) == ("high", ["ann"], "VERIFIED")
    assert write["refused_votes"] == ["rita: forbidden"]
    assert write["in_tryton"]["state"] == "quotation"


def test_a_write_whose_record_was_changed_got_a_new_preview(calls: Json) -> None:
    write = calls["party_payment_term_set"]

    assert (write["stale"], write["previews"], write["sent"], write["state"]) == (1, 2, 1, "VERIFIED")
    assert write["refused_votes"] == ["ann: changed_since_seen"]


def test_a_critical_write_is_approved_by_two_people(calls: Json) -> None:
    write = calls["invoice_post"]

    assert (write["tier"], write["voters"], write["state"]) == ("critical", ["ann", "carl"], "VERIFIED")
    assert write["in_tryton"]["state"] == "posted"


def test_what_was_turned_away_is_on_record(summary: Json) -> None:
    refusals = [call["refusal"] for call in summary["calls"] if call["refusal"]]

    assert refusals == ["insufficient_scope", "arguments_invalid"]


def test_the_export_is_proven_and_record_and_tryton_agree(run: Path, summary: Json) -> None:
    with (run / "hub" / "audit.jsonl").open("rb") as lines:
        report = verify_export(lines)

    assert report.is_sound
    assert report.events == summary["audit"]["events"]
    assert summary["audit"]["changed_byte"].startswith("line ")
    assert summary["differences"] == []


def test_a_value_that_is_not_on_record_would_be_told(recorded: list[RecordedCall], clerk: Person) -> None:
    (write,) = [call for call in recorded if call.is_committed and call.tool == "party_contact_update"]
    contact = int(write.target.rpartition("/")[2])
    agreed = balance(recorded, clerk).differences

    clerk.write("party.contact_mechanism", contact, value="elsewhere@bluebird-cycles.example")
    told = balance(recorded, clerk).differences

    assert agreed == []
    assert any("elsewhere@bluebird-cycles.example" in difference for difference in told)


def test_a_write_of_the_hub_without_a_record_would_be_told(
    recorded: list[RecordedCall], tryton: TrytonServer, clerk: Person
) -> None:
    party = clerk.ids("party.party", ["name", "=", "Quill Books"])[0]
    account = tryton.person("hub")

    account.write("party.party", party, name="Quill & Ink")
    told = balance(recorded, clerk).differences
    account.close()

    assert f"party.party/{party}: written in Tryton by the hub's account, without a record" in told


def test_a_decision_that_its_tier_does_not_allow_would_be_told(recorded: list[RecordedCall], clerk: Person) -> None:
    by_tool = {call.tool: call for call in recorded if call.is_committed}
    by_tool["sale_quote"].voters = ["rita"]
    by_tool["invoice_post"].voters = ["ann"]
    by_tool["invoice_post"].login_ages = [5.0, 601.0]
    by_tool["party_payment_term_set"].sent = 2

    told = " ".join(balance(recorded, clerk).differences)

    assert "approved by the one who asked for it" in told
    assert "approved by 1 instead of 2" in told
    assert "without a fresh login" in told
    assert "sent 2 times" in told


def test_a_person_decides_and_the_hub_goes_on_until_it_is_interrupted(tmp_path: Path) -> None:
    demo = _start("--home", str(tmp_path))

    told = _read_until(demo, r"password \S+")
    link = re.search(r"(http://\S+)/approvals/(inv_\w+)", told)
    password = re.search(r"name ann, password (\S+)", told)
    assert link, told
    assert password, told
    _reject(link[1], link[2], password[1])
    rest = _read_until(demo, r"Ctrl-C ends it")
    is_served = httpx2.get(f"{link[1]}/login").status_code
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)

    assert "rejected by ann" in rest
    assert is_served == 200
    assert demo.returncode == 0
    assert _of_session(demo.pid) == []


def _start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "hub", "demo", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that whatever it leaves behind can be found
        env={**os.environ, "COLUMNS": "140"},
    )


def _read_until(demo: subprocess.Popen[str], pattern: str) -> str:
    """Return what the demo prints up to a line that matches."""
    assert demo.stdout is not None
    told, give_up_at = "", time.monotonic() + LONGEST
    while not re.search(pattern, told):
        ready, _, _ = select.select([demo.stdout], [], [], max(0.0, give_up_at - time.monotonic()))
        piece = os.read(demo.stdout.fileno(), 65536).decode() if ready else ""
        assert piece, f"{pattern!r} never came: {told}"
        told += piece
    return told


def _reject(hub: str, invocation_id: str, password: str) -> None:
    with httpx2.Client(base_url=f"{hub}/api/v1") as ann:
        session = ann.post("/session", json={"name": "ann", "password": password}).json()
        question = ann.get(f"/approvals/{invocation_id}").json()
        ballot = {"digest": question["digest"], "choice": "reject", "reason": "Not at these prices"}
        voted = ann.post(
            f"/approvals/{invocation_id}/votes", json=ballot, headers={"X-CSRF-Token": session["csrf_token"]}
        )
    assert voted.status_code == 201, voted.text


def _of_session(session: int) -> list[str]:
    """Return the command lines of the processes that still run in a session."""
    left: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            left.append(command)
    return left
