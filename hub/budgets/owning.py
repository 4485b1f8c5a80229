"""What somebody owns that limits can be set on, which limits count for it, and how much of each is used now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Select, desc, exists, func, select

from hub.budgets.naming import names_of
from hub.budgets.setting import limits_now
from hub.budgets.tables import PlaceRow, UsageRow
from hub.budgets.values import Limit, Measure, Per
from hub.identity.principals import PrincipalKind
from hub.identity.tables import PrincipalRow
from hub.registry.tables import ToolRow
from hub.storage import Tx, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One agent or tool, as `per` says, by its id and its name."""

    per: Per
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """One limit that counts for something of somebody's; `own` is that, or what has used most of it."""

    limit: Limit
    own: Own | None
    amount: int = 0


async def owned(tx: Tx, person_id: str) -> tuple[Own, ...]:
    """Return the agents and tools that somebody owns, in the order of their names."""
    agents = select(PrincipalRow.id, PrincipalRow.name).where(PrincipalRow.owner_id == person_id)
    tools = select(ToolRow.id, ToolRow.connector, ToolRow.name).where(ToolRow.owner_id == person_id)
    found = [Own(per=Per.AGENT, id=one.id, name=one.name) for one in await tx.execute(agents)]
    found += [Own(per=Per.TOOL, id=one.id, name=f"{one.connector}/{one.name}") for one in await tx.execute(tools)]
    return tuple(sorted(found, key=lambda one: (one.per, one.name)))


async def limitable(tx: Tx, *, most: int) -> tuple[Own, ...]:
    """Return so many agents and tools, whoever owns them, in the order of their names."""
    agents = select(PrincipalRow.id, PrincipalRow.name).where(PrincipalRow.kind != PrincipalKind.USER.value)
    tools = select(ToolRow.id, ToolRow.connector, ToolRow.name).order_by(ToolRow.connector, ToolRow.name)
    callers = await tx.execute(agents.order_by(PrincipalRow.name).limit(most))
    found = [Own(per=Per.AGENT, id=one.id, name=one.name) for one in callers]
    offered = await tx.execute(tools.limit(max(0, most - len(found))))
    return (*found, *(Own(per=Per.TOOL, id=one.id, name=f"{one.connector}/{one.name}") for one in offered))


async def used_by_all(tx: Tx) -> list[Used]:
    """Return all limits that count, each with whatever has used most of it in its window."""
    found, at = list[Used](), await now(tx)
    for limit in await limits_now(tx):
        used = (await tx.execute(_used_of(limit, at).order_by(desc("used")).limit(1))).first()
        own = None if used is None else Own(per=limit.per, id=used.subject, name=used.subject)
        found.append(Used(limit=limit, own=own, amount=0 if used is None else used.used))
    names = await names_of(tx, [one.own.id for one in found if one.own])
    return [replace(one, own=one.own and replace(one.own, name=names.get(one.own.id, one.own.id))) for one in found]


async def owns_anything(tx: Tx, person_id: str) -> bool:
    """Return whether there is anything that somebody may set limits on as its owner."""
    mine = (exists().where(PrincipalRow.owner_id == person_id), exists().where(ToolRow.owner_id == person_id))
    return bool(await tx.scalar(select(mine[0] | mine[1])))


async def used_now(tx: Tx, mine: Collection[Own]) -> list[Used]:
    """Return the limits that count for any of `mine`: their own first, then those of each agent or tool."""
    known = {(one.per, one.id): one for one in mine}
    kinds = {one.per for one in mine}
    found = list[Used]()
    for limit in await limits_now(tx):
        if not limit.subject and limit.per in kinds:
            found.append(await _most_used(tx, limit, [one for one in mine if one.per is limit.per]))
        elif own := known.get((limit.per, limit.subject)):
            found.append(await _most_used(tx, limit, [own]))
    return sorted(found, key=lambda one: not one.limit.subject)


async def _most_used(tx: Tx, limit: Limit, mine: Sequence[Own]) -> Used:
    """Return what of `mine` has used most of a limit, and how much that is."""
    amounts = dict[str, int]()
    for subject, amount in await tx.execute(_used_of(limit, await now(tx))):
        amounts[subject] = amount
    used = [(amounts[one.id], one) for one in mine if one.id in amounts]
    most = max(used, key=lambda one: one[0], default=None)
    if most is None:
        return Used(limit=limit, own=mine[0] if limit.subject else None)
    return Used(limit=limit, own=most[1], amount=most[0])


def _used_of(limit: Limit, at: datetime) -> Select[str, int]:
    """Return the query for how much of a limit each has used in the window at `at`, or uses at that moment."""
    if limit.measure is Measure.AT_ONCE:
        under_way = (PlaceRow.limit_id == limit.id, PlaceRow.until > at)
        count = func.count().label("used")
        return select(PlaceRow.subject, count).where(*under_way).group_by(PlaceRow.subject)
    began = limit.began(at) if limit.measure.has_window else 0
    return select(UsageRow.subject, UsageRow.used).where(UsageRow.limit_id == limit.id, UsageRow.began == began)
