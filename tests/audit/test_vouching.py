"""What an export says of itself counts only where the log says so too: what was erased, and whose keys sign."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete

from hub.audit import (
    ExportOrder,
    Held,
    NoteKey,
    Proof,
    erase_values,
    export_lines,
    note_keys,
    rotate_key,
    sequence,
    verify_export,
)
from hub.audit.export_format import header_line, read_header
from hub.audit.notes import read_checkpoint
from hub.audit.tables import ValueRow
from hub.core.errors import NotFound
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio

Append = Callable[[int], Awaitable[list[str]]]
OPEN = ExportOrder(by="prn_auditor", with_values=True)


async def exported(database: Database, keys: Keyring, order: ExportOrder = OPEN) -> list[bytes]:
    return [line async for line in export_lines(database, keys, order)]


async def test_a_blanked_value_is_missing_unless_the_log_says_that_it_was_erased(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    one, other = await append_events(2)
    async with database.transaction() as tx:
        await erase_values(tx, keys, other, ["email"])
        await tx.execute(delete(ValueRow).where(ValueRow.event_id == one, ValueRow.field == "email"))

    report = verify_export(await exported(database, keys))

    findings = [(finding.proof, finding.position, finding.field) for finding in report.findings]
    assert (findings, report.erased) == ([(Proof.COMMITMENT, 0, "email")], 1)


async def test_only_a_value_that_is_kept_can_be_erased(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    (event_id,) = await append_events(1)

    for fields in (["email", "phone"], []):
        with pytest.raises(NotFound):
            async with database.transaction() as tx:
                await erase_values(tx, keys, event_id, fields)

    assert verify_export(await exported(database, keys)).opened == 2


async def test_a_key_that_nothing_vouches_for_is_refused(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(1)
    lines = await exported(database, keys)
    header = read_header(lines[0])
    origin = read_checkpoint(header.checkpoint, note_keys(keys)).origin
    strange = str(NoteKey(name=origin, public=bytes(32)))

    forged = header_line(header.model_copy(update={"keys": (*header.keys, strange)}))

    report = verify_export([forged, *lines[1:]])
    assert [(finding.proof, finding.line) for finding in report.findings] == [(Proof.SIGNATURE, 1)]
    assert strange in report.findings[0].message


async def test_the_log_announces_the_keys_that_come_later(
    database: Database, keys: Keyring, append_events: Append
) -> None:
    await append_events(1)
    async with database.transaction() as tx:
        await rotate_key(tx, keys, "checkpoints")
    await keys.reload()
    checkpoint = await sequence(database, keys)
    assert checkpoint is not None

    whole = verify_export(await exported(database, keys))
    later = await exported(database, keys, ExportOrder(by=None, since=checkpoint.note))

    assert (whole.findings, len(whole.keys)) == ([], 2)
    assert verify_export(later, Held(checkpoint=checkpoint.note)).is_sound
    assert not verify_export(later).is_sound
