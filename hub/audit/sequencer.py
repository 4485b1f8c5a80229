"""The sequencer: numbers committed events without a gap, adds them to the tree and signs its head; one at a time."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, exists, select, update

from hub.audit.merkle import Frontier, leaf_hash
from hub.audit.notes import Checkpoint, NoteKey, origin_from, public_bytes, read_checkpoint, sign_checkpoint
from hub.audit.tables import CheckpointRow, EventRow
from hub.audit.tiles import grow
from hub.core.errors import NotFound, Unavailable
from hub.keys import Keyring
from hub.storage import Database, Tx, now

BATCH: Final = 2000
"""How many events one transaction numbers at most."""

INTERVAL_SECONDS: Final = 0.5
"""How long events may wait for a checkpoint while the sequencer keeps up."""

_POSITIONS = (
    update(EventRow)
    .where(EventRow.entry == bindparam("numbered"))
    .values(position=bindparam("place"))
    .execution_options(synchronize_session=False)
)


async def sequence(database: Database, keys: Keyring, *, batch: int = BATCH) -> Checkpoint | None:
    """Number what is not numbered yet, at most `batch` events; return the checkpoint over it, None if there is none.

    The numbers follow the order of writing as far as there is one; what has not committed has no number.
    """
    async with database.transaction() as tx:
        await database.lock(tx, "audit-sequencer")
        query = select(EventRow.entry, EventRow.body).where(EventRow.position.is_(None))
        fresh = (await tx.execute(query.order_by(EventRow.entry).limit(batch))).all()
        if not fresh:
            return None
        return await _add(tx, [(row.entry, row.body) for row in fresh], keys)


async def keep_sequencing(database: Database, keys: Keyring) -> None:
    """Sequence whenever there is something, and sign at least every second; runs until cancelled.

    Raises:
        Unavailable: the database is gone; start again when it is back.
    """
    while True:
        async with database.reading() as tx:
            is_waiting = await tx.scalar(select(exists().where(EventRow.position.is_(None))))
        if is_waiting:
            await sequence(database, keys)
        await asyncio.sleep(INTERVAL_SECONDS)


async def ensure_checkpoint(database: Database, keys: Keyring, event_id: str) -> Checkpoint:
    """Return a signed checkpoint that covers the event, making one if none does yet.

    Raises:
        NotFound: there is no such event, or it has not been committed.
    """
    while True:
        async with database.reading() as tx:
            query = select(EventRow.position).where(EventRow.id == event_id)
            place = (await tx.execute(query)).one_or_none()
            if place is None:
                raise NotFound("There is no such event.")
            if place.position is not None:
                covering = select(CheckpointRow.note).where(CheckpointRow.size > place.position)
                note = await tx.scalar(covering.order_by(CheckpointRow.size).limit(1))
                if note is None:
                    raise Unavailable(
                        "The audit log numbers events that no checkpoint covers; restore its checkpoints."
                    )
                return read_checkpoint(note, note_keys(keys))
        await sequence(database, keys)


async def latest_checkpoint(tx: Tx, keys: Keyring) -> Checkpoint | None:
    """Return the newest checkpoint."""
    note = await tx.scalar(select(CheckpointRow.note).order_by(CheckpointRow.size.desc()).limit(1))
    return None if note is None else read_checkpoint(note, note_keys(keys))


def origin_of(keys: Keyring) -> str:
    """Return the name of this log: made from its first key, it never changes, whatever keys sign it later."""
    return origin_from(public_bytes(keys.public_keys("checkpoints")[0]))


def note_keys(keys: Keyring) -> list[NoteKey]:
    """Return the keys that sign, or once signed, this log's checkpoints, oldest first."""
    origin = origin_of(keys)
    return [NoteKey(name=origin, public=public_bytes(jwk)) for jwk in keys.public_keys("checkpoints")]


async def _add(tx: Tx, fresh: Sequence[tuple[int, bytes]], keys: Keyring) -> Checkpoint:
    last = await tx.scalar(select(CheckpointRow).order_by(CheckpointRow.size.desc()).limit(1))
    frontier = Frontier() if last is None else Frontier(last.size, [bytes.fromhex(head) for head in last.frontier])
    size, leaves = frontier.size, [leaf_hash(body) for _, body in fresh]
    for leaf in leaves:
        frontier.add(leaf)
    connection = await tx.connection()
    numbered = [{"numbered": entry, "place": size + offset} for offset, (entry, _) in enumerate(fresh)]
    await connection.execute(_POSITIONS, numbered)
    await grow(tx, size, leaves)
    checkpoint = sign_checkpoint(origin_of(keys), frontier.size, frontier.root(), keys.signing_key("checkpoints"))
    heads = [head.hex() for head in frontier.heads]
    tx.add(CheckpointRow(size=checkpoint.size, note=checkpoint.note, frontier=heads, made_at=await now(tx)))
    await tx.flush()
    return checkpoint
