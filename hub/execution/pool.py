"""Confined processes for reads, kept for the next one: of the same connector, connection and generation only."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from sandbox.host import Host, Zygote

MOST_CALLS: Final = 200
"""After this many calls a process is replaced: whatever foreign code has piled up in it goes with it."""
MOST_IDLE: Final = 4
IDLE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolKey:
    """What two reads must share to be run by one process."""

    artefact_digest: str
    connection_id: str
    generation: int


@dataclass(slots=True)
class ReadPool:
    """Idle processes by key; one call at a time each."""

    zygote: Zygote
    _idle: dict[PoolKey, list[tuple[float, Host]]] = field(
        default_factory=lambda: defaultdict[PoolKey, list[tuple[float, Host]]](list)
    )

    @asynccontextmanager
    async def host(self, key: PoolKey, entry: str) -> AsyncGenerator[Host]:
        """Yield a process that has the connector loaded, and take it back if it is still sound.

        Raises:
            HostFailed: none could be started.
        """
        host = self._take(key) or await self.zygote.fork(entry)
        try:
            yield host
        finally:
            if host.is_broken or host.calls >= MOST_CALLS or len(self._idle[key]) >= MOST_IDLE:
                if not host.is_broken:
                    await host.end()
            else:
                self._idle[key].append((time.monotonic(), host))

    def _take(self, key: PoolKey) -> Host | None:
        waiting = self._idle[key]
        return waiting.pop()[1] if waiting else None

    async def end_idle(self, *, older_than: float = IDLE_SECONDS) -> None:
        """End the processes that nobody has used for `older_than` seconds."""
        limit = time.monotonic() - older_than
        for key, waiting in list(self._idle.items()):
            kept = [(since, host) for since, host in waiting if since > limit]
            old = [host for since, host in waiting if since <= limit]
            self._idle[key] = kept
            await asyncio.gather(*(host.end() for host in old))
