"""Counting the calls of one stretch of time, from the records alone; whoever counts again finds the same."""

from hub.metrics.assignments import read_assignments
from hub.metrics.lookups import Ground
from hub.metrics.reads import count_reads
from hub.metrics.turned_away import count_turned_away
from hub.metrics.values import Tally, Window
from hub.metrics.writes import count_writes
from hub.storage import Tx


async def count(tx: Tx, window: Window) -> Tally:
    """Return what the calls made in `window` count for, as they stand now."""
    ground = Ground(tx=tx, window=window, assignments=await read_assignments(tx))
    tally = Tally()
    await count_reads(ground, tally)
    await count_writes(ground, tally)
    await count_turned_away(ground, tally)
    return tally
