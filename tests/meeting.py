"""Transactions that meet on PostgreSQL: one of them is let wait for another before the test goes on."""

import asyncio
from typing import Any

from sqlalchemy import text

from hub.storage import Database


async def waits_or_ends(database: Database, task: asyncio.Task[Any]) -> None:
    """Return once the transaction of `task` waits for another one, or has ended without."""
    waits = text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    while not task.done():
        async with database.reading() as tx:
            if await tx.scalar(waits):
                return
