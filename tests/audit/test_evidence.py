"""Evidence on one invocation: one file, proven without the hub; every change of it is found."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import delete

from hub.audit import (
    Event,
    EventKind,
    EvidenceOrder,
    Policy,
    append,
    append_many,
    erase_values,
    events_of,
    evidence_lines,
    is_evidence,
    note_keys,
    rotate_key,
    sequence,
    verify_evidence,
)
from hub.audit.evidence import _events
from hub.audit.evidence_format import page_line, read_evidence_header
from hub.audit.evidence_page import page_of
from hub.audit.export_format import read_event
from hub.audit.judging import Held
from hub.audit.notes import NoteKey
from hub.audit.tables import ValueRow
from hub.core.canonical import canonical_json
from hub.core.errors import NotFound
from hub.keys import Keyring
from hub.storage import Database, Tx

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
CASE = "inv_case"
RULES = Policy(schema="0" * 64, text="permit (principal, action, resource);")


async def known_policy(_tx: Tx, digest: str) -> Policy | None:
    return RULES if digest == RULES.digest else None


def about(subject: str, number: int, **facts: object) -> Event:
    return Event(
        kind=EventKind.INVOCATION_RECEIVED,
        subject=subject,
        actor="agt_1",
        facts={"number": number, **facts},
        private={"arguments": {"party": f"Müller {number}"}, "note": "<b>\u202egnp.exe</b>"},
    )


@pytest.fixture
async def case(database: Database, keys: Keyring) -> Database:
    """A log in which events about the case stand between others."""
    mixed = [
        about("inv_other", 0),
        about(CASE, 1, policy_digest=RULES.digest),
        about("inv_other", 2),
        about(CASE, 3, policy_digest="unknown"),
    ]
    async with database.transaction() as tx:
        await append_many(tx, mixed, keys)
    return database


async def evidence(database: Database, keys: Keyring, *, with_values: bool = True) -> list[bytes]:
    order = EvidenceOrder(subject=CASE, by="usr_auditor", policy=known_policy, with_values=with_values)
    return [line async for line in evidence_lines(database, keys, order)]


def changed(line: bytes, **changes: object) -> bytes:
    return canonical_json({**json.loads(line), **changes}) + b"\n"


def messages(lines: list[bytes]) -> str:
    report, page = verify_evidence(lines)
    assert page == "", "what is not proven has no page"
    return " ".join(str(finding) for finding in report.findings)


async def test_it_holds_the_events_of_one_invocation_alone_and_all_of_them(case: Database, keys: Keyring) -> None:
    lines = await evidence(case, keys)
    report, page = verify_evidence(lines)

    numbers = [json.loads(line)["body"]["facts"]["number"] for line in lines[1:-1]]
    assert is_evidence(lines[0])
    assert report.findings == []
    assert (report.events, report.opened, numbers) == (2, 4, [1, 3])
    assert "Müller 1" in page
    assert "Müller 0" not in page


async def test_it_brings_the_policies_that_decided_if_they_are_on_record(case: Database, keys: Keyring) -> None:
    header = json.loads((await evidence(case, keys))[0])

    assert header["policies"] == [{"schema": RULES.schema_digest, "text": RULES.text}]


async def test_closed_evidence_names_private_fields_and_holds_no_values(case: Database, keys: Keyring) -> None:
    lines = await evidence(case, keys, with_values=False)
    report, page = verify_evidence(lines)

    assert (report.is_sound, report.closed) == (True, 4)
    assert "Müller" not in b"".join(lines).decode()
    assert "arguments, note (not in this file)" in page


async def test_the_page_shows_what_others_wrote_inert(case: Database, keys: Keyring) -> None:
    _, page = verify_evidence(await evidence(case, keys))

    assert "&lt;b&gt;\\u{202e}gnp.exe&lt;/b&gt;" in page
    assert "\u202e" not in page
    assert "<script" not in page


async def test_that_it_was_made_is_on_record(case: Database, keys: Keyring) -> None:
    await evidence(case, keys)

    async with case.reading() as tx:
        (made,) = await events_of(tx, "audit")
    assert (made.kind, made.actor) == (EventKind.LOG_EXPORTED, "usr_auditor")
    assert made.facts == {"evidence": CASE, "values": True}


async def test_what_was_erased_is_shown_as_erased_and_everything_else_stays_proven(
    case: Database, keys: Keyring
) -> None:
    async with case.transaction() as tx:
        first, _ = await events_of(tx, CASE)
        await erase_values(tx, keys, first.id, ["arguments"])

    report, page = verify_evidence(await evidence(case, keys))

    assert (report.findings, report.erased, report.opened) == ([], 1, 3)
    assert "arguments (erased)" in page
    assert "Müller 1" not in page


async def test_a_value_that_is_missing_without_an_erasure_is_found(case: Database, keys: Keyring) -> None:
    async with case.transaction() as tx:
        first, _ = await events_of(tx, CASE)
        await tx.execute(delete(ValueRow).where(ValueRow.event_id == first.id, ValueRow.field == "note"))

    assert "no event of the log says that it was erased" in messages(await evidence(case, keys))


async def test_a_key_that_came_later_is_vouched_for_by_the_event_that_announced_it(
    case: Database, keys: Keyring
) -> None:
    async with case.transaction() as tx:
        await rotate_key(tx, keys, "checkpoints")
    await keys.reload()
    async with case.transaction() as tx:
        await append(tx, about(CASE, 4), keys)

    report, _ = verify_evidence(await evidence(case, keys))

    assert (report.findings, len(report.keys)) == ([], 2)


async def test_nothing_is_made_about_what_the_log_does_not_know(case: Database, keys: Keyring) -> None:
    order = EvidenceOrder(subject="inv_never", by=None, policy=known_policy)

    with pytest.raises(NotFound, match="inv_never"):
        await anext(evidence_lines(case, keys, order))


async def test_every_change_is_found(case: Database, keys: Keyring) -> None:
    header, one, two, page = lines = await evidence(case, keys)
    body = json.loads(one)["body"]
    values = json.loads(one)["values"]
    forged_policy = [{"schema": RULES.schema_digest, "text": "permit (principal, action, resource) ;"}]
    forged_values = {**values, "arguments": {**values["arguments"], "value": {"party": "Meier"}}}

    assert verify_evidence(lines)[0].is_sound
    assert "is not the event" in messages([header, changed(one, body={**body, "actor": "agt_2"}), two, page])
    assert "not the one that the event committed to" in messages(
        [header, changed(one, values=forged_values), two, page]
    )
    assert "The field is missing" in messages([header, changed(one, values={}), two, page])
    assert "The header says otherwise about values" in messages([header, changed(one, values=None), two, page])
    assert "do not stand in the order" in messages([header, two, one, page])
    assert "the header says 2" in messages([header, one, page])
    assert "the header says 1" in messages([changed(header, count=1), one, two, page])
    assert "or its text was changed" in messages([changed(header, policies=forged_policy), one, two, page])
    assert "No event here is about" in messages([changed(header, subject="inv_x"), one, two, page])
    assert "does not say what the events say" in messages([header, one, two, changed(page, page="All was well.")])
    assert "not the page of evidence" in messages([header, one, two])
    assert "breaks off" in messages([header, one, two, page[:-1]])
    assert "checkpoint" in messages([changed(header, checkpoint="x"), one, two, page])
    assert "not the header" in messages([changed(header, more=1), one, two, page])
    assert messages([])
    assert messages([header])


async def test_evidence_is_judged_by_the_keys_that_the_auditor_holds(case: Database, keys: Keyring) -> None:
    lines = await evidence(case, keys)
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    others = NoteKey(name=note_keys(keys)[0].name, public=public)

    trusted, page = verify_evidence(lines, Held(keys=note_keys(keys)))
    distrusted, no_page = verify_evidence(lines, Held(keys=[others]))

    assert (trusted.is_sound, trusted.is_key_trusted) == (True, True)
    assert page
    assert (distrusted.is_sound, no_page) == (False, "")
    assert not verify_evidence(lines)[0].is_key_trusted


async def test_an_event_that_stands_there_twice_is_found_though_the_page_says_so_too(
    case: Database, keys: Keyring
) -> None:
    header, one, _, _ = await evidence(case, keys)
    first = read_event(one)[0]
    forged = page_line(page_of(read_evidence_header(header), [first, first]))

    assert "do not stand in the order" in messages([header, one, one, forged])


async def test_what_is_wrong_with_an_event_is_not_said_again_of_the_page(case: Database, keys: Keyring) -> None:
    header, one, two, page = await evidence(case, keys)
    values = json.loads(one)["values"]
    forged = {**values, "arguments": {**values["arguments"], "value": {"party": "Meier"}}}

    report, _ = verify_evidence([header, changed(one, values=forged), two, page])

    assert [finding.line for finding in report.findings] == [2]


async def test_an_event_whose_facts_are_none_is_found_and_stops_nothing(case: Database, keys: Keyring) -> None:
    header, one, two, page = await evidence(case, keys)
    body = json.loads(one)["body"]

    assert "is not the event" in messages([header, changed(one, body={**body, "facts": ["none"]}), two, page])


async def test_without_a_policy_on_record_the_page_says_that_none_is_proven(case: Database, keys: Keyring) -> None:
    async def unknown(_tx: Tx, _digest: str) -> None:
        return None

    order = EvidenceOrder(subject=CASE, by=None, policy=unknown)
    _, without = verify_evidence([line async for line in evidence_lines(case, keys, order)])
    _, with_one = verify_evidence(await evidence(case, keys))

    said = "None of those that decided can be proven by this file."
    assert (said in without, said in with_one) == (True, False)


async def test_what_came_after_the_checkpoint_is_left_to_the_next_evidence(case: Database, keys: Keyring) -> None:
    checkpoint = await sequence(case, keys)
    assert checkpoint is not None
    async with case.transaction() as tx:
        await append(tx, about(CASE, 4), keys)
    await sequence(case, keys)

    async with case.reading() as tx:
        found = await _events(tx, CASE, checkpoint)

    assert [one.position for one in found] == [1, 3]


async def test_an_event_of_another_log_is_found(case: Database, keys: Keyring) -> None:
    header, one, two, page = await evidence(case, keys)
    third = json.loads(two)["position"] + 1

    assert "is not the event" in messages([header, one, changed(two, position=third), page])
