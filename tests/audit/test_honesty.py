"""A log that was rewritten, cut off or damaged cannot pass for the one whose checkpoint somebody kept."""

import json
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, select, update

from hub.audit import (
    Checkpoint,
    ExportOrder,
    Held,
    Proof,
    Report,
    export_lines,
    latest_checkpoint,
    parse_key,
    rotate_key,
    sequence,
    verify_export,
)
from hub.audit.tables import CheckpointRow, EventRow, TileRow
from hub.core.canonical import canonical_json
from hub.core.errors import Conflict, Malformed, Unavailable
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

Append = Callable[[int], Awaitable[list[str]]]
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


async def test_a_cut_tail_under_a_new_checkpoint_is_found_by_who_holds_an_older_one(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(10)
    await sequence(database, keys)
    held = await held_checkpoint(database, keys)
    await forget_events(database, 8)

    lines = await exported(database, keys)

    assert verify_export(lines).is_sound
    assert found(verify_export(lines, Held(checkpoint=held.note))) == [(Proof.CONSISTENCY, None, None)]


async def test_a_rewritten_past_is_found_by_who_holds_an_older_checkpoint(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(10)
    await sequence(database, keys)
    held = await held_checkpoint(database, keys)
    await forget_events(database, 8)
    await append_events(20)

    lines = await exported(database, keys)

    assert verify_export(lines).is_sound
    assert found(verify_export(lines, Held(checkpoint=held.note))) == [(Proof.CONSISTENCY, None, None)]


async def forget_events(database: Database, size: int) -> None:
    """Do what an operator of bad faith could: cut the log at `size` and let the hub sign it anew."""
    async with database.transaction() as tx:
        bodies = (await tx.scalars(select(EventRow.body).order_by(EventRow.position).limit(size))).all()
        for table in (CheckpointRow, TileRow):
            await tx.execute(delete(table))
        await tx.execute(delete(EventRow).where(EventRow.body.not_in(bodies)))
        await tx.execute(update(EventRow).values(position=None))


async def test_an_honest_log_continues_every_older_checkpoint(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    notes: list[Checkpoint] = []
    for count in (1, 3, 300):
        await append_events(count)
        await sequence(database, keys)
        notes.append(await held_checkpoint(database, keys))

    lines = await exported(database, keys)

    for held in notes:
        report = verify_export(lines, Held(checkpoint=held.note))
        assert (report.findings, report.continues) == ([], held.size)


async def test_a_later_export_begins_where_the_older_checkpoint_ends(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(5)
    await sequence(database, keys)
    held = await held_checkpoint(database, keys)
    await append_events(4)

    lines = await exported(database, keys, ExportOrder(by=None, since=held.note))

    report = verify_export(lines, Held(checkpoint=held.note))
    assert (report.findings, report.first, report.events, report.continues) == ([], 5, 5, 5)


async def test_a_later_export_says_when_it_cannot_be_compared(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(2)
    await sequence(database, keys)
    first = await held_checkpoint(database, keys)
    await append_events(2)
    await sequence(database, keys)
    second = await held_checkpoint(database, keys)

    lines = await exported(database, keys, ExportOrder(by=None, since=second.note))

    (finding,) = verify_export(lines, Held(checkpoint=first.note)).findings
    assert "cannot be compared" in finding.message


async def test_a_log_that_was_rewritten_refuses_to_export_since_an_older_checkpoint(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(10)
    await sequence(database, keys)
    held = await held_checkpoint(database, keys)
    await forget_events(database, 3)
    await append_events(20)

    with pytest.raises(Conflict, match="evidence"):
        await exported(database, keys, ExportOrder(by=None, since=held.note))


async def test_a_checkpoint_of_another_hub_is_refused(database: Database, keys: Keyring) -> None:
    note = f"toolhub/other\n5\n{'A' * 43}=\n\n\u2014 toolhub/other AAAA\n"

    with pytest.raises(Malformed):
        await exported(database, keys, ExportOrder(by=None, since=note))


async def test_exports_and_older_checkpoints_verify_across_a_key_rotation(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(3)
    await sequence(database, keys)
    held = await held_checkpoint(database, keys)
    async with database.transaction() as tx:
        await rotate_key(tx, keys, "checkpoints")
        await keys.rotate(tx, "data")
    await keys.reload()

    lines = await exported(database, keys)
    known = [parse_key(key) for key in verify_export(lines).keys]  # as the hub's operator hands them over
    report = verify_export(lines, Held(checkpoint=held.note, keys=known))

    assert (report.findings, report.continues, len(report.keys)) == ([], 3, 2)


async def test_a_key_that_did_not_sign_the_checkpoint_one_holds_is_not_believed(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(3)
    await sequence(database, keys)
    held = await held_checkpoint(database, keys)
    async with database.transaction() as tx:
        await rotate_key(tx, keys, "checkpoints")  # or somebody signs a tail of their own with a key they made
    await keys.reload()
    await append_events(1)

    report = verify_export(await exported(database, keys), Held(checkpoint=held.note))

    assert [finding.proof for finding in report.findings] == [Proof.SIGNATURE]
    assert "--key" in report.findings[0].message


async def test_an_event_changed_in_the_database_is_found(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(4)
    await sequence(database, keys)
    async with database.transaction() as tx:
        body = await tx.scalar(select(EventRow.body).where(EventRow.position == 2))
        assert body is not None
        forged = body.replace(b"sale_confirm", b"sale_cancel")
        await tx.execute(update(EventRow).where(EventRow.position == 2).values(body=forged))

    report = verify_export(await exported(database, keys))

    assert (Proof.INCLUSION, 2, None) in found(report)


async def test_an_event_deleted_from_the_database_is_found(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(4)
    await sequence(database, keys)
    async with database.transaction() as tx:
        await tx.execute(delete(EventRow).where(EventRow.position == 2))

    report = verify_export(await exported(database, keys))

    assert (Proof.ORDER, 2, None) in found(report)


async def test_a_damaged_tree_is_said_to_be_damaged(database: Database, keys: Keyring, append_events: Append) -> None:
    await append_events(4)
    lines = export_lines(database, keys, CLOSED)
    await anext(lines)
    async with database.transaction() as tx:
        await tx.execute(delete(TileRow))

    with pytest.raises(Unavailable, match="audit_tiles"):
        await anext(lines)


async def test_a_commitment_that_is_no_digest_is_a_finding_and_no_crash(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(1)
    await sequence(database, keys)
    header, line, *rest = await exported(database, keys)
    event = json.loads(line)
    event["body"]["commitments"] = dict.fromkeys(event["body"]["commitments"], "\u00e9")

    report = verify_export([header, canonical_json(event) + b"\n", *rest])

    assert event["body"]["commitments"]
    assert not report.is_sound
