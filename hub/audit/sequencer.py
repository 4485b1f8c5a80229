"""The sequencer: numbers committed events without a gap, adds them to the tree and signs its head; one at a time."""

from typing import Final

from sqlalchemy import bindparam, select, text, update

from hub.audit.merkle import Frontier, leaf_hash
from hub.audit.notes import Checkpoint, public_bytes, read_checkpoint, sign_checkpoint
from hub.audit.tables import CheckpointRow, EventRow
from hub.core.errors import NotFound
from hub.keys import Keyring
from hub.storage import Database, Tx, now

BATCH: Final = 2000
_LOCK: Final = 7_301_002


async def sequence(database: Database, keys: Keyring) -> Checkpoint | None:
    """Number what is not numbered yet, and return the checkpoint over it; None if there was nothing to number."""
    async with database.transaction() as tx:
        if not database.is_sqlite:  # SQLite's write lock is held already
            await tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        return await _seal(tx, keys)


async def _seal(tx: Tx, keys: Keyring) -> Checkpoint | None:
    query = select(EventRow.id, EventRow.body).where(EventRow.position.is_(None))
    fresh = (await tx.execute(query.order_by(EventRow.at, EventRow.id).limit(BATCH))).all()
    if not fresh:
        return None
    last = await tx.scalar(select(CheckpointRow).order_by(CheckpointRow.size.desc()).limit(1))
    frontier = Frontier() if last is None else Frontier(last.size, [bytes.fromhex(head) for head in last.frontier])
    numbered = [{"event": row.id, "place": frontier.size + offset} for offset, row in enumerate(fresh)]
    for row in fresh:
        frontier.add(leaf_hash(row.body))
    connection = await tx.connection()
    statement = update(EventRow.__table__).where(EventRow.__table__.c.id == bindparam("event"))  # type: ignore[arg-type]  # a Table at run time
    await connection.execute(statement.values(position=bindparam("place")), numbered)
    checkpoint = sign_checkpoint(origin_of(keys), frontier.size, frontier.root(), keys.signing_key("checkpoints"))
    heads = [head.hex() for head in frontier.heads]
    tx.add(CheckpointRow(size=checkpoint.size, note=checkpoint.note, frontier=heads, made_at=await now(tx)))
    await tx.flush()
    return checkpoint


async def ensure_checkpoint(database: Database, keys: Keyring, event_id: str) -> Checkpoint:
    """Return a signed checkpoint that covers the event, making one if none does yet.

    Raises:
        NotFound: there is no such event.
    """
    while True:
        async with database.reading() as tx:
            event = await tx.get(EventRow, event_id)
            if event is None:
                raise NotFound("There is no such event.")
            if event.position is not None:
                covering = select(CheckpointRow.note).where(CheckpointRow.size > event.position)
                note = await tx.scalar(covering.order_by(CheckpointRow.size).limit(1))
                if note is not None:
                    return read_checkpoint(note, public_keys(keys))
        await sequence(database, keys)


async def latest_checkpoint(tx: Tx, keys: Keyring) -> Checkpoint | None:
    """Return the newest checkpoint."""
    note = await tx.scalar(select(CheckpointRow.note).order_by(CheckpointRow.size.desc()).limit(1))
    return None if note is None else read_checkpoint(note, public_keys(keys))


def origin_of(keys: Keyring) -> str:
    """Return the name of this log: it never changes, whatever keys sign it later."""
    return f"toolhub/{keys.public_keys('checkpoints')[0]['kid']}"


def public_keys(keys: Keyring) -> dict[str, bytes]:
    """Return the keys that may sign this log's checkpoints, by name."""
    return {str(jwk["kid"]): public_bytes(jwk) for jwk in keys.public_keys("checkpoints")}
