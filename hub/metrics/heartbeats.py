"""Heartbeats: which workers are at work, by what each of them puts on record again and again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select

from hub.metrics.tables import HeartbeatRow
from hub.storage import Database, Tx, insert_into, now

BEAT_SECONDS: Final = 15.0
FORGOTTEN: Final = timedelta(hours=1)
"""How long after its last beat a worker is still told of, so that its end is seen."""


async def beat(database: Database, worker_id: str) -> None:
    """Put on record that a worker is at work now, and forget those that have long not been."""
    async with database.transaction() as tx:
        at = await now(tx)
        fresh = insert_into(tx, HeartbeatRow).values(worker_id=worker_id, began_at=at, beat_at=at)
        await tx.execute(fresh.on_conflict_do_update(index_elements=["worker_id"], set_={"beat_at": at}))
        await tx.execute(delete(HeartbeatRow).where(HeartbeatRow.beat_at < at - FORGOTTEN))


async def ages(tx: Tx) -> Mapping[str, timedelta]:
    """Return how long ago each worker was last heard of, by its id."""
    at = await now(tx)
    rows = await tx.execute(select(HeartbeatRow.worker_id, HeartbeatRow.beat_at).order_by(HeartbeatRow.worker_id))
    return {worker_id: at - beat_at for worker_id, beat_at in rows}
