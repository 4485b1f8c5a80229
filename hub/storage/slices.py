"""Adding thousands of rows without holding the loop: some at a time, and others have their turn in between."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from hub.storage.database import Tx
from hub.storage.types import Base

_AT_ONCE: Final = 200
"""Rows; making and sending them takes some milliseconds."""


async def add_in_slices(tx: Tx, rows: Iterable[Base]) -> None:
    """Insert `rows`, which are made as they are taken."""
    ahead = iter(rows)
    while some := list(islice(ahead, _AT_ONCE)):
        tx.add_all(some)
        await tx.flush()
