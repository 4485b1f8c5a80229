"""Deputies: who votes in whose place while they are away, from when until when."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update

from hub.approvals.tables import DeputyRow
from hub.audit import EventKind
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.ids import new_id
from hub.identity import directory
from hub.identity.authority import Authority
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.tables import PrincipalRow
from hub.storage import Tx, database_now, now

LONGEST_ABSENCE: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deputyship:
    """One person's leave to vote in another's place."""

    id: str
    absent_id: str
    deputy_id: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """What somebody says who will be away: who votes instead (an account name), from when until when."""

    absent: Principal
    deputy: str
    starts_at: datetime
    ends_at: datetime


async def name_deputy(tx: Tx, absence: Absence, authority: Authority) -> Deputyship:
    """Let the deputy vote in the absent person's place, and return for how long.

    Raises:
        Conflict: somebody is named for a part of that time already.
        InputError: the times or the deputy will not do.
    """
    await _check_times(tx, absence)
    deputy = await directory.find(tx, absence.deputy.strip())
    if not _can_stand_in(deputy, absence.absent):
        raise InputError(f"Nobody called {absence.deputy!r} can be your deputy; name another active account.")
    assert deputy is not None  # noqa: S101  # nobody cannot stand in
    own = select(PrincipalRow.id).where(PrincipalRow.id == absence.absent.id)
    await tx.execute(own.with_for_update())  # one deputyship at a time is made for a person
    meanwhile = (DeputyRow.starts_at < absence.ends_at, DeputyRow.ends_at > absence.starts_at)
    theirs = (DeputyRow.absent_id == absence.absent.id, DeputyRow.ended_at.is_(None))
    if await tx.scalar(select(DeputyRow.id).where(*theirs, *meanwhile).limit(1)) is not None:
        raise Conflict("Somebody is named for a part of that time already. End that first.")
    row = DeputyRow(
        id=new_id("dep"),
        absent_id=absence.absent.id,
        deputy_id=deputy.id,
        starts_at=absence.starts_at,
        ends_at=absence.ends_at,
        ended_at=None,
    )
    tx.add(row)
    await tx.flush()
    facts = {"deputy": deputy.id, "from": row.starts_at.isoformat(), "until": row.ends_at.isoformat()}
    await authority.record(tx, EventKind.DEPUTY_NAMED, absence.absent.id, **facts)
    return _deputyship(row)


async def end_deputyship(tx: Tx, deputyship_id: str, absent: Principal, authority: Authority) -> None:
    """Let the deputy vote no longer; votes that were cast stay.

    Raises:
        NotFound: the person has named no such deputy, or it has ended.
    """
    mine = (DeputyRow.id == deputyship_id, DeputyRow.absent_id == absent.id, DeputyRow.ended_at.is_(None))
    ended = await tx.scalar(
        update(DeputyRow).where(*mine).values(ended_at=await now(tx)).returning(DeputyRow.deputy_id)
    )
    if ended is None:
        raise NotFound("You have named no such deputy, or it has ended.")
    await authority.record(tx, EventKind.DEPUTY_ENDED, absent.id, deputy=ended)


async def deputyships(tx: Tx, person: Principal) -> list[Deputyship]:
    """Return where somebody has, is, or will be a deputy, unless it is over; the earliest first."""
    theirs = or_(DeputyRow.absent_id == person.id, DeputyRow.deputy_id == person.id)
    query = select(DeputyRow).where(theirs, DeputyRow.ended_at.is_(None), DeputyRow.ends_at > database_now())
    return [_deputyship(row) for row in await tx.scalars(query.order_by(DeputyRow.starts_at, DeputyRow.id))]


async def stands_in_for(tx: Tx, deputy: Principal) -> list[Principal]:
    """Return the active people in whose place `deputy` may vote now: who named it, and nobody they stand for."""
    query = select(DeputyRow.absent_id).where(
        DeputyRow.deputy_id == deputy.id,
        DeputyRow.ended_at.is_(None),
        DeputyRow.starts_at <= database_now(),
        DeputyRow.ends_at > database_now(),
    )
    found = await directory.get_many(tx, list(await tx.scalars(query)))
    return sorted((one for one in found.values() if not one.is_suspended), key=lambda one: one.id)


async def _check_times(tx: Tx, absence: Absence) -> None:
    if absence.starts_at.tzinfo is None or absence.ends_at.tzinfo is None:
        raise InputError("Say the times with their time zone.")
    if absence.ends_at <= max(absence.starts_at, await now(tx)):
        raise InputError("The end must be after the beginning, and still to come.")
    if absence.ends_at - absence.starts_at > LONGEST_ABSENCE:
        raise InputError(f"A deputy is named for {LONGEST_ABSENCE.days} days at most.")


def _can_stand_in(deputy: Principal | None, absent: Principal) -> bool:
    if deputy is None or deputy.is_suspended:
        return False
    return deputy.kind is PrincipalKind.USER and deputy.id != absent.id


def _deputyship(row: DeputyRow) -> Deputyship:
    return Deputyship(
        id=row.id,
        absent_id=row.absent_id,
        deputy_id=row.deputy_id,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
    )
