"""Kill switches: for an agent, a tool, a connection or the whole hub. What is sent already is finished."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, or_, select

from hub.audit import EventKind
from hub.budgets.naming import caller_named, connection_named, tool_named
from hub.budgets.tables import StopRow
from hub.budgets.values import BRAKES_CHANNEL
from hub.core.errors import InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.permissions import Permission, demand
from hub.storage import Tx, now


class StopKind(StrEnum):
    """What a switch stops; policy knows them by these words."""

    HUB = "hub"
    AGENT = "agent"
    TOOL = "tool"
    CONNECTION = "connection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A switch that is on."""

    kind: StopKind
    subject: str
    reason: str
    set_by: str | None
    set_at: datetime

    @property
    def words(self) -> str:
        """What it says to whom it stops."""
        what = "The hub" if self.kind is StopKind.HUB else f"This {self.kind}"
        return f"{what} is stopped: {self.reason}"


async def set_stop(tx: Tx, kind: StopKind, subject: str, reason: str, authority: Authority) -> None:
    """Turn a switch on: from now on no call of what it stops, by its id or its name, is begun or claimed.

    Raises:
        InputError: it names nothing or several, or something where it is about the whole hub, or a reason is missing.
        NotFound: there is nothing of that id or name, which a switch would not stop.
        Forbidden: it is neither an administrator nor an operator.
    """
    await _require(tx, authority)
    if (kind is StopKind.HUB) is bool(subject):
        raise InputError("Name the agent, the tool or the connection; the hub has no name.")
    if not reason.strip():
        raise InputError("Say why; it is told to whoever is stopped, and kept on record.")
    subject = await _meant(tx, kind, subject)
    row = await _held(tx, kind, subject, authority)
    if row is None:
        row = StopRow(kind=kind.value, subject=subject, set_by=authority.by, set_at=await now(tx), reason="")
        tx.add(row)
    row.reason = reason.strip()[:500]
    await tx.flush()
    await authority.record(tx, EventKind.STOP_SET, f"{kind.value}:{subject}", reason=row.reason)
    await authority.database.signal(tx, BRAKES_CHANNEL)


async def lift_stop(tx: Tx, kind: StopKind, subject: str, authority: Authority) -> None:
    """Turn a switch off, of what is given by its id or its name; what waits goes on.

    Raises:
        NotFound: it is not on.
        Forbidden: it is neither an administrator nor an operator.
    """
    await _require(tx, authority)
    row = await _held(tx, kind, subject, authority)
    if row is None:
        subject = await _meant(tx, kind, subject)
        row = await _held(tx, kind, subject, authority)
    if row is None:
        raise NotFound("This switch is not on.")
    await tx.delete(row)
    await tx.flush()
    await authority.record(tx, EventKind.STOP_LIFTED, f"{kind.value}:{subject}")
    await authority.database.signal(tx, BRAKES_CHANNEL)


async def stops_now(tx: Tx) -> tuple[Stop, ...]:
    """Return every switch that is on."""
    rows = await tx.scalars(select(StopRow).order_by(StopRow.kind, StopRow.subject))
    return tuple(map(_stop, rows))


async def stops_for(tx: Tx, *, agent_id: str, tool_id: str, connection_id: str) -> tuple[Stop, ...]:
    """Return the switches that are on for one call, as the database has them now."""
    named = (("hub", ""), ("agent", agent_id), ("tool", tool_id), ("connection", connection_id))
    where = or_(*(and_(StopRow.kind == kind, StopRow.subject == subject) for kind, subject in named))
    return tuple(map(_stop, await tx.scalars(select(StopRow).where(where).order_by(StopRow.kind))))


async def _meant(tx: Tx, kind: StopKind, subject: str) -> str:
    match kind:
        case StopKind.AGENT:
            return await caller_named(tx, subject)
        case StopKind.TOOL:
            return await tool_named(tx, subject)
        case StopKind.CONNECTION:
            return await connection_named(tx, subject)
        case StopKind.HUB:
            return subject


async def _require(tx: Tx, authority: Authority) -> None:
    if authority.by is not None:
        demand(await get(tx, authority.by), Permission.STOP_THINGS)


async def _held(tx: Tx, kind: StopKind, subject: str, authority: Authority) -> StopRow | None:
    """Return the switch as it stands once nobody else is turning it, None if it is off; held until `tx` ends."""
    await authority.database.lock(tx, f"stop:{kind.value}:{subject}")
    return await tx.get(StopRow, (kind.value, subject), populate_existing=True)


def _stop(row: StopRow) -> Stop:
    return Stop(kind=StopKind(row.kind), subject=row.subject, reason=row.reason, set_by=row.set_by, set_at=row.set_at)
