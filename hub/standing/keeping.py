"""Standing grants on record: put there, read, and taken back."""

from dataclasses import dataclass, fields

from sqlalchemy import or_, select, update

from connectors.sdk.vocabulary import Tier
from hub.core.errors import Conflict, NotFound
from hub.core.ids import new_id
from hub.identity.directory import is_plain
from hub.policy import Obligation, admits
from hub.policy.obligations import ALL_OF, ANY_OF
from hub.standing.tables import StandingGrantRow
from hub.standing.values import Limit, NewStandingGrant, StandingGrant
from hub.storage import Tx, database_now, now

_OTHERWISE = frozenset({"asked", "tier", "limits", "side_effects", "not_covered"})
_MEMBERS = tuple(one.name for one in fields(NewStandingGrant) if one.name not in _OTHERWISE)


async def put_grant(tx: Tx, new: NewStandingGrant) -> StandingGrant:
    """Put a grant on record, with all of its budget, and return it."""
    row = StandingGrantRow(
        id=new_id("grant"),
        group_name=new.group,
        asked=new.asked.as_json(),
        tier=new.tier.value,
        limits={name: limit.as_json() for name, limit in new.limits.items()},
        side_effects=[list(one) for one in new.side_effects],
        not_covered=sorted(new.not_covered),
        uses_left=new.uses,
        money_left_minor=new.money_minor,
        **{name: getattr(new, name) for name in _MEMBERS},
    )
    tx.add(row)
    await tx.flush()
    return _grant(row)


async def get_grant(tx: Tx, grant_id: str) -> StandingGrant:
    """Return one grant as it stands.

    Raises:
        NotFound: there is none with this id.
    """
    row = await tx.get(StandingGrantRow, grant_id, populate_existing=True) if is_plain(grant_id) else None
    if row is None:
        raise NotFound("There is no such standing grant.")
    return _grant(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """Whom and what a grant is for."""

    agent_id: str
    tool_id: str
    connection_id: str


async def open_grants_for(tx: Tx, agency: Agency) -> list[StandingGrant]:
    """Return the grants that calls of an agent may still use, those that end first first."""
    row = StandingGrantRow
    query = select(row).where(
        row.agent_id == agency.agent_id,
        row.tool_id == agency.tool_id,
        row.connection_id == agency.connection_id,
        row.revoked_at.is_(None),
        row.uses_left > 0,
        row.expires_at > database_now(),
    )
    return [_grant(one) for one in await tx.scalars(query.order_by(row.expires_at, row.id))]


async def grants_of(tx: Tx, *, giver_id: str | None, groups: frozenset[str], limit: int = 200) -> list[StandingGrant]:
    """Return the grants somebody gave or that were given for one of `groups`, the newest first; all without a giver."""
    query = select(StandingGrantRow).order_by(StandingGrantRow.id.desc()).limit(limit)
    if giver_id is None:
        return [_grant(one) for one in await tx.scalars(query)]
    name = StandingGrantRow.group_name
    several = or_(name.contains(ANY_OF, autoescape=True), name.contains(ALL_OF, autoescape=True))
    asked = [one for one in await tx.scalars(select(name).where(several).distinct()) if admits(one, groups)]
    mine = or_(StandingGrantRow.giver_id == giver_id, name.in_(sorted({*groups, *asked})))
    return [_grant(one) for one in await tx.scalars(query.where(mine))]


async def revoke_grant(tx: Tx, grant_id: str, *, by: str, reason: str) -> StandingGrant:
    """Take a grant back: whatever it approved and is not sent yet will not be sent.

    Raises:
        Conflict: it has been revoked already.
        NotFound: there is none with this id.
    """
    mine = (StandingGrantRow.id == grant_id, StandingGrantRow.revoked_at.is_(None))
    taken = {"revoked_at": await now(tx), "revoked_by": by, "revoked_reason": reason}
    revoked = await tx.scalar(update(StandingGrantRow).where(*mine).values(taken).returning(StandingGrantRow.id))
    grant = await get_grant(tx, grant_id)
    if revoked is None:
        raise Conflict("This standing grant has been revoked already.")
    return grant


async def revoke_like(tx: Tx, invocation_id: str, *, by: str, reason: str) -> list[StandingGrant]:
    """Take back every grant that was made from a call; return them."""
    mine = (StandingGrantRow.like_invocation_id == invocation_id, StandingGrantRow.revoked_at.is_(None))
    found = await tx.scalars(select(StandingGrantRow.id).where(*mine).order_by(StandingGrantRow.id).with_for_update())
    return [await revoke_grant(tx, one, by=by, reason=reason) for one in found.all()]


def _grant(row: StandingGrantRow) -> StandingGrant:
    return StandingGrant(
        id=row.id,
        asked=Obligation.from_json(row.asked),
        tier=Tier(row.tier),
        limits={
            name: Limit(at_most=one.get("at_most"), one_of=tuple(one.get("one_of", ())))
            for name, one in row.limits.items()
        },
        side_effects=tuple((kind, recipient) for kind, recipient in row.side_effects),
        not_covered=frozenset(row.not_covered),
        uses_left=row.uses_left,
        money_left_minor=row.money_left_minor,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
        revoked_reason=row.revoked_reason,
        **{name: getattr(row, name) for name in _MEMBERS},
    )
