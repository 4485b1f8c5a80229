"""Checking the newest part of the log inside the hub, with the verification that anybody runs outside."""

import asyncio
from typing import Final

from sqlalchemy import select

from hub.audit.exports import ExportOrder, export_lines
from hub.audit.judging import Held, Report
from hub.audit.sequencer import latest_checkpoint, note_keys
from hub.audit.tables import CheckpointRow
from hub.audit.verify import verify_export
from hub.keys import Keyring
from hub.storage import Database

CHECKED: Final = 2000
"""About how many of the newest events are checked at once: somebody waits for it."""


async def check_newest(database: Database, keys: Keyring, *, by: str | None, about: int = CHECKED) -> Report:
    """Return what of the newest events holds, and that they continue the checkpoint before them; it is an event too.

    There are at least `about` of them, if there are so many: they begin at a checkpoint that was signed.
    """
    async with database.reading() as tx:
        newest = await latest_checkpoint(tx, keys)
        until = max(0, newest.size - about) if newest else 0
        query = select(CheckpointRow.note).where(CheckpointRow.size <= until).order_by(CheckpointRow.size.desc())
        since = await tx.scalar(query.limit(1))
    lines = [line async for line in export_lines(database, keys, ExportOrder(by=by, since=since))]
    return await asyncio.to_thread(verify_export, lines, Held(keys=note_keys(keys), checkpoint=since))
