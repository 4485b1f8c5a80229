"""Exports: the log as a file that anybody can verify without the hub, with private values open or closed."""

import base64
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

from sqlalchemy import exists, or_, select

from hub.audit.events import Event, append
from hub.audit.export_format import Header, Since, event_line, header_line, read_header
from hub.audit.kinds import EventKind
from hub.audit.merkle import consistency_ranges, inclusion_ranges, is_consistent
from hub.audit.notes import Checkpoint, has_signed, read_checkpoint
from hub.audit.reading import open_value
from hub.audit.sequencer import ensure_checkpoint, note_keys
from hub.audit.tables import EventRow, ValueRow
from hub.audit.tiles import WIDTH, Prover
from hub.core.canonical import read_canonical
from hub.core.errors import Conflict
from hub.keys import Keyring
from hub.storage import Database, Tx

Progress = Callable[[int, int], None]
"""Told (events done, events in all)."""

_PAGE: Final = WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOrder:
    """What to export, for whom. `since` is an older checkpoint: the export then holds what came after it."""

    by: str | None
    with_values: bool = False
    since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedEvent:
    """An event under a checkpoint: its canonical body, and its inclusion proof there."""

    event_id: str
    body: bytes
    position: int
    proof: Sequence[bytes]


async def export_lines(database: Database, keys: Keyring, order: ExportOrder) -> AsyncGenerator[bytes]:
    """Yield the lines of an export, the header first. That it was made is its last event.

    Raises:
        Malformed: `order.since` is not a checkpoint that this log has signed.
        Conflict: this log does not continue `order.since`; it was rewritten or restored from a backup. Or values were
            erased while it was being exported: what says so is not in the export, and nobody could verify it.
    """
    older = None if order.since is None else read_checkpoint(order.since, note_keys(keys))
    first = 0 if older is None else older.size
    facts = {"values": order.with_values, "first": first}
    async with database.transaction() as tx:
        event_id = await append(
            tx, Event(kind=EventKind.LOG_EXPORTED, subject="audit", actor=order.by, facts=facts), keys
        )
    checkpoint = await ensure_checkpoint(database, keys, event_id)
    yield header_line(
        Header(
            checkpoint=checkpoint.note,
            count=checkpoint.size - first,
            first=first,
            keys=_keys_of(keys, older),
            since=None if older is None else await _continued(database, older, checkpoint),
            values="open" if order.with_values else "closed",
        )
    )
    prover = Prover()
    for start in range(first, checkpoint.size, _PAGE):
        async with database.reading() as tx:  # short ones: an export holds up nobody
            lines = await _page(tx, range(start, min(start + _PAGE, checkpoint.size)), checkpoint.size, prover)
            opened = await open_fields(tx, lines, keys) if order.with_values else {}
            if order.with_values:
                await _refuse_erased_since(tx, checkpoint)
        for line in lines:
            yield event_line(line.body, line.position, line.proof, opened.get(line.event_id))


async def _refuse_erased_since(tx: Tx, checkpoint: Checkpoint) -> None:
    is_later = or_(EventRow.position.is_(None), EventRow.position >= checkpoint.size)
    later = select(exists().where(EventRow.kind == EventKind.VALUES_ERASED.value, is_later))
    if await tx.scalar(later):
        raise Conflict("Values were erased while the log was being exported; export again.")


async def export(
    database: Database, keys: Keyring, out: TextIO, order: ExportOrder, *, progress: Progress | None = None
) -> int:
    """Write an export to `out` (UTF-8, newlines as they are); return the number of its events.

    Raises: what `export_lines` raises.
    """
    header: Header | None = None
    written = 0
    async for line in export_lines(database, keys, order):
        out.write(line.decode())
        if header is None:
            header = read_header(line)
            continue
        written += 1
        if progress is not None:
            progress(written, header.count)
    return written


def _keys_of(keys: Keyring, older: Checkpoint | None) -> tuple[str, ...]:
    """Return the keys that an export from `older` on needs: the first, the one that signed it, and what came later."""
    first, *later = known = note_keys(keys)
    if older is None:
        return tuple(map(str, known))
    signer = next(at for at, key in enumerate(known) if has_signed(key, older.note))
    return tuple(map(str, [first, *(later[max(signer - 1, 0) :])]))


async def _continued(database: Database, older: Checkpoint, newer: Checkpoint) -> Since:
    async with database.reading() as tx:
        proof: list[bytes] = []
        if older.size <= newer.size:
            (proof,) = await Prover().prove(tx, [consistency_ranges(older.size, newer.size)])
    if not is_consistent((older.size, older.root), (newer.size, newer.root), proof):
        raise Conflict(
            "This log does not continue the checkpoint you hold: it was rewritten, or restored from an older backup. "
            "Keep the checkpoint as evidence."
        )
    return Since(checkpoint=older.note, proof=tuple(base64.b64encode(step).decode() for step in proof))


async def _page(tx: Tx, span: range, size: int, prover: Prover) -> list[ExportedEvent]:
    query = select(EventRow.id, EventRow.body, EventRow.position)
    within = query.where(EventRow.position >= span.start, EventRow.position < span.stop).order_by(EventRow.position)
    rows = (await tx.execute(within)).all()
    proofs = await prover.prove(tx, [inclusion_ranges(row.position, size) for row in rows])
    return [
        ExportedEvent(event_id=row.id, body=row.body, position=row.position, proof=proof)
        for row, proof in zip(rows, proofs, strict=True)
    ]


async def open_fields(tx: Tx, lines: Sequence[ExportedEvent], keys: Keyring) -> dict[str, dict[str, Any]]:
    """Return for each event its private fields: with salt and value, or None where they have been erased."""
    opened: dict[str, dict[str, Any]] = {
        line.event_id: dict.fromkeys(read_canonical(line.body)["commitments"]) for line in lines
    }
    query = select(ValueRow).where(ValueRow.event_id.in_(list(opened)))
    for row in await tx.scalars(query):
        salt, value = open_value(row, keys)
        opened[row.event_id][row.field] = {"salt": base64.b64encode(salt).decode(), "value": value}
    return opened
