"""The limits, switches and outages of now, read once and kept until one changes anywhere, for a second at most."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from hub.budgets.outages import Outage, outages_now
from hub.budgets.setting import limits_now
from hub.budgets.stopping import Stop, StopKind, stops_now
from hub.budgets.values import BRAKES_CHANNEL, Limit
from hub.storage import Database, Joined

LOOK_AGAIN_SECONDS: Final = 1.0
"""What no signal tells of is seen after this."""


class _Kept(NamedTuple):
    limits: tuple[Limit, ...]
    stops: tuple[Stop, ...]
    outages: tuple[Outage, ...]
    look_at: float


class Brakes:
    """What every call asks before it begins; a commit asks the database itself, in the transaction that claims it."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._kept: _Kept | None = None
        self._changes = 0
        self._joined = Joined[_Kept](LOOK_AGAIN_SECONDS)
        self._heard = database.subscribe(BRAKES_CHANNEL)

    async def limits(self) -> tuple[Limit, ...]:
        """Return the limits that count now."""
        return (await self._now()).limits

    async def stops(self, *, agent_id: str, tool_id: str, connection_id: str) -> tuple[Stop, ...]:
        """Return the switches that are on for one call."""
        named = {
            (StopKind.HUB, ""),
            (StopKind.AGENT, agent_id),
            (StopKind.TOOL, tool_id),
            (StopKind.CONNECTION, connection_id),
        }
        return tuple(one for one in (await self._now()).stops if (one.kind, one.subject) in named)

    async def outage(self, connection_id: str) -> Outage | None:
        """Return how a connection has failed of late; None: its last call reached its system."""
        return next((one for one in (await self._now()).outages if one.connection_id == connection_id), None)

    async def _now(self) -> _Kept:
        if self._heard.is_set():
            self._heard.clear()  # before looking: what is changed from here on sets it again
            self._kept = None
            self._changes += 1
            self._joined.part()
        if self._kept is not None and self._clock() < self._kept.look_at:
            return self._kept
        return await self._joined.read("", self._read)

    async def _read(self) -> _Kept:
        look_at, changes = self._clock() + LOOK_AGAIN_SECONDS, self._changes
        async with self._database.reading() as tx:
            kept = _Kept(await limits_now(tx), await stops_now(tx), await outages_now(tx), look_at)
        if changes == self._changes:  # else it may have been read before the change, and come after what was read then
            self._kept = kept
        return kept
