"""Group commit: concurrent reads share one durable transaction, and no answer leaves before it is on disk.

A transaction costs about as much as seven reads in it. Reads that come out one after the other would each get one of
their own, so while others are under way two commits keep a small distance; whoever is alone is never held up.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Table, insert

from hub import audit
from hub.audit import Event
from hub.core.errors import HubError, Unavailable
from hub.invocations import provenance
from hub.invocations.tables import InvocationRow, NewRow
from hub.keys import Keyring
from hub.storage import Database, Insertion

LARGEST_BATCH: Final = 256
APART_SECONDS: Final = 0.004
"""From the end of one commit to the beginning of the next, unless nobody else is under way."""
_INSERT: Final = insert(cast("Table", InvocationRow.__table__))
"""Past the ORM, which has nothing to add to rows that are complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    row: NewRow
    event: Event
    seen: Sequence[Mapping[str, Any]]
    committed: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupCommit:
    """One committer: it takes what queued up during the last commit and right after it, at most 256 entries."""

    def __init__(self, database: Database, keys: Keyring, *, apart_seconds: float = APART_SECONDS) -> None:
        self._database = database
        self._keys = keys
        self._apart_seconds = apart_seconds
        self._ended_at = -math.inf
        self._under_way = 0
        self._is_resting = False
        self._waiting: list[_Entry] = []
        self._arrived = asyncio.Event()
        self._is_ending = False

    @contextlib.contextmanager
    def coming(self) -> Generator[None]:
        """Count the read in the block as one that will have something to record: the others may wait for it."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            self._look_round()

    async def record(self, row: NewRow, event: Event, seen: Sequence[Mapping[str, Any]] = ()) -> None:
        """Return once `row`, `event` and the values that were `seen` are durable.

        Raises:
            Unavailable: they could not be written, and nothing of their batch was; the answer must not leave.
        """
        if self._is_ending:
            raise Unavailable("The hub is stopping; nothing more is put on record here. Try again in a moment.")
        entry = _Entry(row=row, event=event, seen=seen)
        self._waiting.append(entry)
        self._look_round()
        await entry.committed

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Commit for as long as the block lasts, and what is still queued when it ends; then record no more.

        The block is not left before the last commit has ended, however often its task is cancelled meanwhile: an answer
        whose record is written must be told, and the database is closed right after.
        """
        committer = asyncio.create_task(self._run())
        committer.add_done_callback(self._has_ended)
        try:
            yield
        finally:
            self._is_ending = True
            self._arrived.set()
            await _ended(committer)

    def _has_ended(self, _committer: asyncio.Task[None]) -> None:
        """Let nobody wait for a committer that is gone, whatever ended it: closing would wait for them for ever."""
        self._is_ending = True
        _fail(self._waiting, Unavailable("The hub has stopped; the call was not put on record."))

    async def _run(self) -> None:
        while self._waiting or not self._is_ending:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._rest()
                await self._commit()
                self._ended_at = asyncio.get_running_loop().time()

    async def _rest(self) -> None:
        """Keep the distance to the last commit, until all who are under way are here or nobody may come any more."""
        loop = asyncio.get_running_loop()
        due = self._ended_at + self._apart_seconds
        if self._is_ending or self._are_all_here() or loop.time() >= due:
            return
        self._is_resting = True
        self._arrived.clear()
        over = loop.call_at(due, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            over.cancel()
            self._is_resting = False

    def _look_round(self) -> None:
        """Wake the committer, unless it rests and somebody may still come."""
        if not self._is_resting or self._are_all_here():
            self._arrived.set()

    def _are_all_here(self) -> bool:
        return len(self._waiting) >= min(self._under_way, LARGEST_BATCH)

    async def _commit(self) -> None:
        batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
        try:
            await self._database.append(lambda at: self._composed(batch, at))
        except Exception as error:  # noqa: BLE001  # every waiter must hear of it, whatever it was
            _fail(batch, error)
            return
        except asyncio.CancelledError:  # the event loop itself is being closed
            _fail(
                batch,
                Unavailable("The hub stopped while the call was being put on record; whether it was is not known."),
            )
            raise
        for entry in batch:
            if not entry.committed.done():
                entry.committed.set_result(None)

    def _composed(self, batch: list[_Entry], at: datetime) -> list[Insertion]:
        for entry in batch:
            entry.row.created_at = entry.row.updated_at = at  # what is answered from the row has them too
        return [
            Insertion(_INSERT, [vars(entry.row) for entry in batch]),
            *provenance.insertions(self._database, (one for entry in batch for one in entry.seen), at=at),
            *audit.insertions([entry.event for entry in batch], self._keys, at=at),
        ]


async def _ended(committer: asyncio.Task[None]) -> None:
    """Return once `committer` has ended; a cancellation that comes in the meantime is passed on after that."""
    cancelled: asyncio.CancelledError | None = None
    while not committer.done():
        try:
            await asyncio.wait([committer])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _fail(batch: list[_Entry], error: BaseException) -> None:
    for entry in batch:
        if entry.committed.done():
            continue
        reason = error if isinstance(error, HubError) else Unavailable("The call could not be put on record.")
        reason.__cause__ = error if reason is not error else error.__cause__
        entry.committed.set_exception(reason)
