"""Confined processes: a fresh one for every preview and commit, kept ones for reads that may share them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from hub.registry import Declared, Undeclared
from sandbox.confinement import Confinement, Level
from sandbox.host import Host, HostFailed, start
from sandbox.launch import Zygote

Json = Any
"""Any JSON value."""

MOST_CALLS: Final = 200
"""After this many calls a process is replaced: whatever foreign code has piled up in it goes with it."""
MOST_BUSY_SECONDS: Final = 10.0
"""Its processor time is limited for its whole life; it is replaced long before a call could hit that limit."""
MOST_IDLE: Final = 32
MOST_SPARES: Final = 8
DECLARE_SECONDS: Final = 40.0
"""For starting it, which may take half of that, and for its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Which connector a process holds: where it is found and the digest it was registered with."""

    entry: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What two reads must have in common to be run by one process."""

    code: Code
    connection_id: str
    generation: int
    on_behalf_of: str | None


@dataclass(slots=True)
class _Idle:
    sharing: Sharing
    host: Host
    since: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Spare:
    starting: asyncio.Task[Host]
    since: float = field(default_factory=time.monotonic)

    def discard(self) -> None:
        """End the process, or keep it from being started."""
        self.starting.cancel()
        self.starting.add_done_callback(_end)


class Hosts:
    """The processes of one executor. A spare one per connector is kept ready: loaded, confined, and never yet used."""

    def __init__(self, zygote: Zygote, minimum: Level = Level.NONE) -> None:
        """`minimum` is the level of confinement below which nothing is run."""
        self._zygote = zygote
        self._minimum = minimum
        self._asking = asyncio.Lock()
        self._idle: list[_Idle] = []
        self._spares: dict[Code, _Spare] = {}
        self._is_closed = False

    async def close(self) -> None:
        """End every process that waits, and prepare no more."""
        self._is_closed = True
        await self.end_idle(older_than=0)

    @asynccontextmanager
    async def fresh(self, code: Code) -> AsyncGenerator[Host]:
        """Yield a process that has run nothing before; nothing is run in it afterwards.

        Raises:
            HostFailed: none could be started, or it is not confined as it must be.
        """
        host = await self._unused(code)
        try:
            self.refuse_below(host.confinement)
            yield host
        finally:
            host.end()
            self._prepare(code)

    @asynccontextmanager
    async def shared(self, sharing: Sharing) -> AsyncGenerator[Host]:
        """Yield a process for one read; it is kept for the next of its kind if all went well.

        Raises:
            HostFailed: none could be started, or it is not confined as it must be.
        """
        host = self._take(sharing) or await self._unused(sharing.code)
        try:
            self.refuse_below(host.confinement)
            yield host
        except BaseException:
            host.end()
            raise
        if not self._is_closed and host.is_usable and host.calls < MOST_CALLS and host.busy_seconds < MOST_BUSY_SECONDS:
            self._idle.append(_Idle(sharing, host))
            if len(self._idle) > MOST_IDLE:
                self._idle.pop(0).host.end()
        else:
            host.end()

    async def declared(self, code: Code, *, seconds: float = DECLARE_SECONDS) -> Declared | Undeclared:
        """Return what the code says it declares, in a process that is for nothing else; one is asked at a time."""
        async with self._asking:
            try:
                async with asyncio.timeout(seconds):
                    return Declared(spec=await self._declaration(code))
            except TimeoutError:
                return Undeclared(why=f"it did not say within {seconds:g} seconds")
            except HostFailed as error:
                return Undeclared(why=str(error))

    async def _declaration(self, code: Code) -> Mapping[str, Json]:
        host = await start(self._zygote, code.entry, code.digest)
        try:
            self.refuse_below(host.confinement)
            return await host.declaration()
        finally:
            host.end()

    def refuse_below(self, confinement: Confinement) -> None:
        """Let a process be used that is confined as it must be.

        Raises:
            HostFailed: it is not.
        """
        if confinement.level.rank < self._minimum.rank:
            raise HostFailed(
                f"connector code must run confined at level {self._minimum.value}; here it is {confinement}"
            )

    async def end_idle(self, *, older_than: float) -> None:
        """End what has waited for longer than `older_than` seconds."""
        limit = time.monotonic() - older_than
        over = [idle for idle in self._idle if idle.since <= limit]
        self._idle = [idle for idle in self._idle if idle.since > limit]
        for idle in over:
            idle.host.end()
        spares = [self._spares.pop(code) for code, spare in list(self._spares.items()) if spare.since <= limit]
        for spare in spares:
            spare.discard()
        await asyncio.gather(*(spare.starting for spare in spares), return_exceptions=True)

    def _take(self, sharing: Sharing) -> Host | None:
        for idle in reversed(self._idle):
            if idle.sharing == sharing:
                self._idle.remove(idle)
                if idle.host.is_usable:
                    return idle.host
                idle.host.end()
        return None

    async def _unused(self, code: Code) -> Host:
        spare = self._spares.pop(code, None)
        if spare is not None:
            with contextlib.suppress(HostFailed):
                host = await spare.starting
                if host.is_usable:
                    return host
                host.end()
        return await start(self._zygote, code.entry, code.digest)

    def _prepare(self, code: Code) -> None:
        if self._is_closed or code in self._spares:
            return
        if len(self._spares) >= MOST_SPARES:
            self._spares.pop(next(iter(self._spares))).discard()
        self._spares[code] = _Spare(asyncio.create_task(start(self._zygote, code.entry, code.digest)))


def _end(starting: asyncio.Task[Host]) -> None:
    if not starting.cancelled() and starting.exception() is None:
        starting.result().end()
