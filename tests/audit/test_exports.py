"""Whoever holds an export can verify it alone: every changed byte is found, and where; and every rewritten past."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.audit import (
    Checkpoint,
    Event,
    EventKind,
    ExportOrder,
    Finding,
    Held,
    Proof,
    Report,
    append,
    append_many,
    erase_values,
    export,
    export_lines,
    latest_checkpoint,
    note_keys,
    open_values,
    parse_key,
    verify_export,
)
from hub.audit.tables import CheckpointRow, EventRow, TileRow, ValueRow
from hub.core.canonical import canonical_json
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

Append = Callable[[int], Awaitable[list[str]]]
MASTER_KEY = bytes(range(32))
CLOSED = ExportOrder(by="prn_auditor")
OPEN = ExportOrder(by="prn_auditor", with_values=True)


async def exported(database: Database, keys: Keyring, order: ExportOrder = OPEN) -> list[bytes]:
    return [line async for line in export_lines(database, keys, order)]


async def held_checkpoint(database: Database, keys: Keyring) -> Checkpoint:
    async with database.reading() as tx:
        checkpoint = await latest_checkpoint(tx, keys)
    assert checkpoint is not None
    return checkpoint


def found(report: Report) -> list[tuple[Proof, int | None, str | None]]:
    return [(finding.proof, finding.position, finding.field) for finding in report.findings]


def rewritten(line: bytes, **members: object) -> bytes:
    return canonical_json(json.loads(line) | members) + b"\n"


@pytest.fixture(scope="session")
def sample_export(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """One export with open values, of a database of its own."""
    from hub.keys.tables import KeyRow
    from hub.storage import Base

    async def make(file: Path) -> list[bytes]:
        database = Database(f"sqlite+aiosqlite:///{file}")
        tables = [row.__table__ for row in (KeyRow, EventRow, ValueRow, TileRow, CheckpointRow)]
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all, tables=tables)
        keys = await Keyring.open(database, MASTER_KEY)
        async with database.transaction() as tx:
            private = {"email": "müller@example.org", "amount": {"minor": 120_000, "rate": 0.19}}
            facts = {"tool": "sale_confirm", "big": 1e21, "note": 'quote " and \u2028'}
            sent = [
                Event(kind=EventKind.COMMIT_SENT, subject=f"inv_{number}", facts=facts, private=private)
                for number in range(5)
            ]
            await append_many(tx, sent, keys)
        lines = await exported(database, keys)
        await database.close()
        return lines

    return asyncio.run(make(tmp_path_factory.mktemp("sample") / "hub.sqlite"))


async def test_an_export_verifies_with_all_its_values(database: Database, keys: Keyring, append_events: Append) -> None:
    await append_events(300)

    report = verify_export(await exported(database, keys))

    assert report.findings == []
    assert (report.events, report.opened, report.erased, report.closed) == (301, 600, 0, 0)
    assert report.checkpoint == await held_checkpoint(database, keys)


async def test_an_export_keeps_values_closed_unless_they_are_asked_for(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(3)

    lines = await exported(database, keys, CLOSED)

    report = verify_export(lines)
    assert b"example.org" not in b"".join(lines)
    assert (report.is_sound, report.opened, report.closed) == (True, 0, 6)


async def test_an_export_is_the_last_event_of_itself(database: Database, keys: Keyring) -> None:
    *_, last = await exported(database, keys)

    body = json.loads(last)["body"]
    assert (body["kind"], body["actor"], body["facts"]) == ("log.exported", "prn_auditor", {"first": 0, "values": True})


async def test_an_erased_value_still_verifies_and_is_gone(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    (event_id, _) = await append_events(2)
    async with database.transaction() as tx:
        await erase_values(tx, keys, event_id, ["email"], by="prn_auditor")

    lines = await exported(database, keys)

    report = verify_export(lines)
    assert (report.is_sound, report.opened, report.erased) == (True, 3, 1)
    assert b"a0@example.org" not in b"".join(lines)
    assert b"a1@example.org" in b"".join(lines)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(data=st.data())
def test_any_changed_byte_is_found_and_located(sample_export: list[bytes], data: st.DataObject) -> None:
    line = data.draw(st.integers(0, len(sample_export) - 1))
    place = data.draw(st.integers(0, len(sample_export[line]) - 1))
    changed = bytearray(sample_export[line])
    changed[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != sample_export[line][place]))
    content = b"".join([*sample_export[:line], bytes(changed), *sample_export[line + 1 :]])

    report = verify_export(io.BytesIO(content))

    assert not report.is_sound
    assert line + 1 in {finding.line for finding in report.findings}
    if line:
        assert line - 1 in {finding.position for finding in report.findings}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(data=st.data())
def test_any_removed_or_doubled_line_is_found(sample_export: list[bytes], data: st.DataObject) -> None:
    line = data.draw(st.integers(1, len(sample_export) - 1))
    times = data.draw(st.sampled_from([0, 2]))
    lines = [*sample_export[:line], *[sample_export[line]] * times, *sample_export[line + 1 :]]

    assert not verify_export(lines).is_sound


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_other_files_are_refused_not_a_crash(sample_export: list[bytes], content: bytes) -> None:
    assert not verify_export(io.BytesIO(content)).is_sound
    assert not verify_export(io.BytesIO(sample_export[0] + content)).is_sound


@pytest.mark.parametrize("body", ["null", "[]", "{}", '{"commitments":[]}', '{"commitments":{"email":7}}'])
def test_an_event_of_another_shape_is_refused_not_a_crash(sample_export: list[bytes], body: str) -> None:
    lines = [sample_export[0], rewritten(sample_export[1], body=json.loads(body)), *sample_export[2:]]

    assert (0, 2) in {(finding.position, finding.line) for finding in verify_export(lines).findings}


def test_a_changed_fact_breaks_the_inclusion_of_its_event_only(sample_export: list[bytes]) -> None:
    lines = list(sample_export)
    lines[3] = lines[3].replace(b"sale_confirm", b"sale_cancel")

    report = verify_export(lines)

    assert found(report) == [(Proof.INCLUSION, 2, None), (Proof.TREE_HEAD, None, None)]
    assert "line 4, event 2: inclusion" in str(report.findings[0])


def test_a_changed_private_value_is_found_by_its_field(sample_export: list[bytes]) -> None:
    lines = list(sample_export)
    lines[3] = lines[3].replace(b"120000", b"120001")

    assert found(verify_export(lines)) == [(Proof.COMMITMENT, 2, "amount")]


def test_a_withheld_or_invented_value_is_found_by_its_field(sample_export: list[bytes]) -> None:
    values = json.loads(sample_export[3])["values"]
    withheld = {"email": values["email"]}
    invented = values | {"iban": None}

    without = verify_export([*sample_export[:3], rewritten(sample_export[3], values=withheld), *sample_export[4:]])
    extra = verify_export([*sample_export[:3], rewritten(sample_export[3], values=invented), *sample_export[4:]])

    assert found(without) == [(Proof.COMMITMENT, 2, "amount")]
    assert found(extra) == [(Proof.COMMITMENT, 2, "iban")]


def test_a_cut_tail_is_found_by_the_checkpoint_in_the_header(sample_export: list[bytes]) -> None:
    assert found(verify_export(sample_export[:-2])) == [(Proof.COUNT, 4, None)]


async def test_an_export_under_keys_the_auditor_does_not_know_is_refused(
    keys: Keyring, sample_export: list[bytes]
) -> None:
    known = note_keys(keys)

    report = verify_export(sample_export, Held(keys=known))

    assert verify_export(sample_export).is_sound
    assert found(report) == [(Proof.SIGNATURE, None, None)]


async def test_an_export_under_keys_the_auditor_knows_says_so(database: Database, keys: Keyring) -> None:
    lines = await exported(database, keys)

    report = verify_export(lines, Held(keys=[parse_key(key) for key in json.loads(lines[0])["keys"]]))

    assert (report.is_sound, report.is_key_trusted) == (True, True)


async def test_writing_an_export_says_how_far_it_is(
    database: Database, keys: Keyring, append_events: Append, tmp_path: Path
) -> None:
    await append_events(3)
    steps: list[tuple[int, int]] = []

    with (tmp_path / "log.jsonl").open("w", encoding="utf-8", newline="\n") as out:
        written = await export(database, keys, out, OPEN, progress=lambda done, total: steps.append((done, total)))

    assert (written, steps) == (4, [(1, 4), (2, 4), (3, 4), (4, 4)])
    with (tmp_path / "log.jsonl").open("rb") as lines:
        assert verify_export(lines).is_sound


def test_verification_needs_no_database(sample_export: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b"".join(sample_export))
    program = "import sys; from hub.audit import verify_export; print(verify_export(open('log.jsonl', 'rb')).is_sound)"

    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, capture_output=True, check=True
    )

    assert result.stdout == b"True\n"


def test_many_findings_are_counted_not_listed(sample_export: list[bytes]) -> None:
    report = verify_export([sample_export[0], *[b"x\n"] * 500])

    assert len(report.findings) == 100
    assert report.more_findings > 300


async def test_whatever_could_be_recorded_can_be_exported_and_verified(database: Database, keys: Keyring) -> None:
    odd = {"float": 2.0**60, "null character": "a\x00b", "key \ue000\U00010000": [None, -0.0]}
    async with database.transaction() as tx:
        event_id = await append(tx, Event(kind=EventKind.VOTE_CAST, subject="s", facts=odd, private=odd), keys)
        values = await open_values(tx, event_id, keys)

    report = verify_export(await exported(database, keys))

    assert (report.findings, report.opened) == ([], 3)
    assert values == odd


async def test_committed_values_differ_for_equal_values(database: Database, keys: Keyring) -> None:
    async with database.transaction() as tx:
        for _ in range(2):
            await append(tx, Event(kind=EventKind.VOTE_CAST, subject="s", private={"reason": "no"}), keys)

    _, one, other, _ = await exported(database, keys)

    assert json.loads(one)["body"]["commitments"] != json.loads(other)["body"]["commitments"]


def test_a_finding_says_where() -> None:
    finding = Finding(proof=Proof.COMMITMENT, message="wrong", line=8, position=6, field="email")

    assert str(finding) == "line 8, event 6, field email: commitment: wrong"
