"""Setting and lifting limits: by administrators, and by the owners of an agent or a tool for what is theirs.

All limits count, so that an owner can only add to what an administrator has set, and lifts what it has set itself.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import select

from hub.audit import EventKind
from hub.budgets.naming import caller_named, server_named, tool_named
from hub.budgets.tables import LimitRow, PlaceRow, UsageRow
from hub.budgets.values import BRAKES_CHANNEL, Limit, Measure, Per
from hub.core.errors import Forbidden, InputError, NotFound
from hub.core.ids import new_id
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.registry import Stewards, require_steward
from hub.registry.reading import tool_row
from hub.storage import Tx, now

_LONGEST: Final = 366 * 24 * 3600
_LARGEST: Final = 2**53 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLimit:
    """A limit to be set; see `Limit`. Administrators may name agents, people and tools as well."""

    per: Per
    measure: Measure
    amount: int
    seconds: int = 0
    subject: str = ""
    unit: str = ""


async def set_limit(tx: Tx, new: NewLimit, authority: Authority) -> Limit:
    """Set a limit, which counts from the next call on; return it.

    Raises:
        InputError: it contradicts itself, or names several tools.
        NotFound: there is no such agent, person, tool or server.
        Forbidden: it is no administrator, nor the owner of that agent or tool.
    """
    _check(new)
    new = replace(new, subject=await _meant(tx, new, authority))
    await _require(tx, new.per, new.subject, authority)
    row = LimitRow(
        id=new_id("lim"),
        per=new.per.value,
        subject=new.subject,
        measure=new.measure.value,
        unit=new.unit,
        amount=new.amount,
        seconds=new.seconds,
        set_by=authority.by,
        set_at=await now(tx),
    )
    tx.add(row)
    await tx.flush()
    await authority.record(tx, EventKind.LIMIT_SET, row.id, limit=_limit(row).words, of=row.subject)
    await authority.database.signal(tx, BRAKES_CHANNEL)
    return _limit(row)


async def lift_limit(tx: Tx, limit_id: str, authority: Authority) -> Limit:
    """Lift a limit, from the next call on; return what it was.

    Raises:
        NotFound: there is no such limit.
        Forbidden: it is no administrator, nor the owner of its agent or tool who has set it.
    """
    row = await tx.get(LimitRow, limit_id)
    if row is None or row.lifted_at is not None:
        raise NotFound("There is no such limit.")
    await _require_lifting(tx, row, authority)
    row.lifted_at = await now(tx)
    await tx.flush()
    await authority.record(tx, EventKind.LIMIT_LIFTED, row.id, limit=_limit(row).words, of=row.subject)
    await authority.database.signal(tx, BRAKES_CHANNEL)
    return _limit(row)


async def change_limit(tx: Tx, limit_id: str, amount: int, authority: Authority) -> Limit:
    """Let a limit stand at another amount from the next call on, by another one in its place; return that.

    What was used of the former counts for it too, so that nobody wins a window anew by changing a limit.

    Raises:
        InputError: no limit has such an amount.
        NotFound: there is no such limit.
        Forbidden: whoever asks may not lift it.
    """
    former = await lift_limit(tx, limit_id, authority)
    new = NewLimit(
        per=former.per,
        subject=former.subject,
        measure=former.measure,
        unit=former.unit,
        amount=amount,
        seconds=former.seconds,
    )
    limit = await set_limit(tx, new, authority)
    await _count_on(tx, former, limit)
    return limit


async def _count_on(tx: Tx, former: Limit, limit: Limit) -> None:
    """Let what was used of `former` in this window, and the calls that are under way, count for `limit`."""
    began = former.began(await now(tx)) if former.measure.has_window else 0
    for used in (
        await tx.scalars(select(UsageRow).where(UsageRow.limit_id == former.id, UsageRow.began == began))
    ).all():
        tx.add(UsageRow(limit_id=limit.id, subject=used.subject, began=began, used=used.used))
    for place in (await tx.scalars(select(PlaceRow).where(PlaceRow.limit_id == former.id))).all():
        tx.add(PlaceRow(limit_id=limit.id, holder=place.holder, subject=place.subject, until=place.until))
    await tx.flush()


async def limits_now(tx: Tx) -> tuple[Limit, ...]:
    """Return the limits that count now."""
    return tuple(map(_limit, await _rows_now(tx)))


async def liftable(tx: Tx, authority: Authority) -> frozenset[str]:
    """Return the ids of the limits that whoever asks may lift, by the very guards of lifting."""
    found = set[str]()
    for row in await _rows_now(tx):
        with suppress(Forbidden):
            await _require_lifting(tx, row, authority)
            found.add(row.id)
    return frozenset(found)


async def _rows_now(tx: Tx) -> list[LimitRow]:
    return list(await tx.scalars(select(LimitRow).where(LimitRow.lifted_at.is_(None)).order_by(LimitRow.id)))


def _check(new: NewLimit) -> None:
    if not 0 <= new.amount <= _LARGEST:
        raise InputError("A limit has an amount from 0 on.")
    if new.measure.has_window and not 1 <= new.seconds <= _LONGEST:
        raise InputError("Calls, writes, money and cost are counted within a window of 1 second to 366 days.")
    if not new.measure.has_window and new.seconds:
        raise InputError("What happens at the same time, and how long a run lasts, has no window: leave it at 0.")
    if new.measure.has_unit is not bool(new.unit):
        raise InputError("Money and cost have a unit, such as EUR; everything else has none.")
    if new.measure is Measure.TIME and new.per is not Per.RUN:
        raise InputError("Only a run has a time that ends; for an agent or a user, say how much within which window.")


async def _meant(tx: Tx, new: NewLimit, authority: Authority) -> str:
    """Return the id that a limit is on; administrators may name it, nobody else tries out names."""
    try:
        await _require_for_others(tx, authority)
    except Forbidden:
        return new.subject
    match new.per:
        case _ if not new.subject:
            return ""
        case Per.AGENT | Per.USER:
            return await caller_named(tx, new.subject, kind=new.per.value)
        case Per.TOOL:
            return await tool_named(tx, new.subject)
        case Per.SERVER:
            return await server_named(tx, new.subject)
        case Per.RUN:
            return new.subject


async def _require(tx: Tx, per: Per, subject: str, authority: Authority) -> None:
    owner_id = None
    if subject and per is Per.AGENT:
        owner_id = (await get(tx, subject)).owner_id
    if subject and per is Per.TOOL:
        owner_id = (await tool_row(tx, subject)).owner_id
    await require_steward(tx, authority, Stewards(owner_id=owner_id, what="this limit"))


async def _require_lifting(tx: Tx, row: LimitRow, authority: Authority) -> None:
    await _require(tx, Per(row.per), row.subject, authority)
    if row.set_by != authority.by:
        await _require_for_others(tx, authority)


async def _require_for_others(tx: Tx, authority: Authority) -> None:
    """Let those pass who may lift what somebody else has set: an owner is not to loosen what was put on it."""
    try:
        await require_steward(tx, authority, Stewards(owner_id=None, what="this limit"))
    except Forbidden as refused:
        raise Forbidden("Somebody else has set this limit; ask an administrator to lift it.") from refused


def _limit(row: LimitRow) -> Limit:
    return Limit(
        id=row.id,
        per=Per(row.per),
        subject=row.subject,
        measure=Measure(row.measure),
        unit=row.unit,
        amount=row.amount,
        seconds=row.seconds,
    )
