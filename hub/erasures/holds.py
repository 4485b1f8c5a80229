"""Legal holds: what must be kept whatever anybody asks for, and however old it gets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import select, update

from hub.audit import Event, EventKind, append, latest_of
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.ids import new_id
from hub.dryrun.emptying import naming, planning_for
from hub.erasures.scopes import Scope, ScopeKind, parts, reach_of
from hub.erasures.tables import HoldRow
from hub.identity.authority import Authority
from hub.invocations.tables import InvocationRow
from hub.storage import Tx, now

LOCK: Final = "erasing"
"""Held by whoever deletes, and by whoever changes what may be deleted: so that a hold stands over all that comes after
it, and over nothing that was deleted before.
"""
LONGEST_REASON: Final = 2000
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_ITEMS: Final = {"invocation": ScopeKind.INVOCATION, "person": ScopeKind.PERSON, "record": ScopeKind.RECORD}


class HoldKind(StrEnum):
    """What a hold is about: the same as an erasure, or everything since a moment."""

    INVOCATION = "invocation"
    PERSON = "person"
    RECORD = "record"
    SINCE = "since"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    """A hold that an auditor sets: `subject` and `connection_id` as in a `Scope`, or `since`."""

    kind: HoldKind
    reason: str
    subject: str = ""
    connection_id: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(NewHold):
    """A hold as it stands."""

    id: str
    set_by: str
    set_at: datetime

    def __str__(self) -> str:
        return f"legal hold {self.id} on {self.what}"

    @property
    def what(self) -> str:
        """What it covers, in words."""
        if self.since is not None:
            return f"everything since {self.since:%Y-%m-%d %H:%M}Z"
        where = f" of connection {self.connection_id}" if self.connection_id else ""
        return f"{self.kind.value} {self.subject}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that may be held: an invocation, or an event about something else."""

    subject: str
    latest: datetime
    people: tuple[str, ...] = ()
    connection_id: str | None = None


async def set_hold(tx: Tx, new: NewHold, authority: Authority) -> Hold:
    """Set a hold, from this moment on; who has made sure that the setter may is the caller.

    Raises:
        InputError: no reason, or it makes no sense.
        NotFound: there is nothing like what it names.
    """
    await authority.database.lock(tx, LOCK)
    await _check(tx, new)
    assert authority.by is not None  # noqa: S101  # a person sets it
    row = HoldRow(
        id=new_id("hld"),
        kind=new.kind.value,
        subject=new.subject,
        connection_id=new.connection_id,
        since=new.since,
        reason=new.reason.strip(),
        set_by=authority.by,
        set_at=await now(tx),
    )
    tx.add(row)
    await tx.flush()
    await _record(tx, EventKind.HOLD_SET, row, new.reason.strip(), authority)
    return _hold(row)


async def lift_hold(tx: Tx, hold_id: str, reason: str, authority: Authority) -> None:
    """Lift a hold.

    Raises:
        InputError: no reason.
        NotFound: no such hold stands.
    """
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InputError("Say why the hold is lifted; the reason is kept on record.")
    await authority.database.lock(tx, LOCK)
    query = update(HoldRow).where(HoldRow.id == hold_id, HoldRow.lifted_at.is_(None))
    lifted = query.values(lifted_at=await now(tx), lifted_by=authority.by)
    row = await tx.scalar(lifted.returning(HoldRow))
    if row is None:
        raise NotFound("No such hold stands.")
    await _record(tx, EventKind.HOLD_LIFTED, row, reason.strip(), authority)


async def holds_now(tx: Tx) -> list[Hold]:
    """Return every hold that stands, the newest first."""
    query = select(HoldRow).where(HoldRow.lifted_at.is_(None)).order_by(HoldRow.id.desc())
    return [_hold(row) for row in await tx.scalars(query)]


async def held(tx: Tx, items: Sequence[Item]) -> dict[str, Hold]:
    """Return which of the items are held, each with a hold over it, by their subjects.

    The caller has the lock: nobody sets a hold between this answer and what is done because of it.
    """
    found = dict[str, Hold]()
    for hold in await holds_now(tx):
        found |= dict.fromkeys(await _under(tx, hold, items), hold)
    return found


async def items_of(tx: Tx, subjects: Sequence[str]) -> list[Item]:
    """Return the subjects of events as what may be held: invocations, and whatever else events are about."""
    row = InvocationRow
    columns = (row.id, row.updated_at, row.agent_id, row.on_behalf_of_id, row.connection_id)
    known = dict[str, Item]()
    for some in parts(subjects):
        for one in (await tx.execute(select(*columns).where(row.id.in_(some)))).all():
            people = (one.agent_id, *([one.on_behalf_of_id] if one.on_behalf_of_id else []))
            known[one.id] = Item(subject=one.id, latest=one.updated_at, people=people, connection_id=one.connection_id)
    latest = await latest_of(tx, subjects)
    items = [known.get(subject, Item(subject=subject, latest=_NEVER)) for subject in subjects]
    return [replace(one, latest=max(one.latest, latest.get(one.subject, _NEVER))) for one in items]


async def _under(tx: Tx, hold: Hold, items: Sequence[Item]) -> list[str]:
    match hold.kind:
        case HoldKind.SINCE:
            return [one.subject for one in items if hold.since is not None and one.latest >= hold.since]
        case HoldKind.INVOCATION:
            return [one.subject for one in items if one.subject == hold.subject]
        case HoldKind.PERSON:
            return [one.subject for one in items if hold.subject in (one.subject, *one.people)]
        case HoldKind.RECORD:
            there = [one.subject for one in items if one.connection_id == hold.connection_id]
            named = [one for some in parts(there) for one in await naming(tx, hold.subject, some)]
            return [*named, *await _plans_for(tx, hold, [one.subject for one in items])]


async def _plans_for(tx: Tx, hold: Hold, subjects: Sequence[str]) -> list[str]:
    """Return the plans, carried out or not, of which a step is about the record that is held."""
    where = hold.connection_id or ""
    return [one for some in parts(subjects) for one in await planning_for(tx, hold.subject, where, some)]


async def _check(tx: Tx, new: NewHold) -> None:
    if not 0 < len(new.reason.strip()) <= LONGEST_REASON:
        raise InputError("Say why it must be kept; the reason is kept on record.")
    if (new.kind is HoldKind.SINCE) != (new.since is not None):
        raise InputError("Say since when, or what is to be held; not both.")
    if new.since is None:
        scope = Scope(kind=_ITEMS[new.kind.value], subject=new.subject, connection_id=new.connection_id)
        await reach_of(tx, scope)
    elif new.subject or new.connection_id:
        raise InputError("A hold on everything since a moment names nothing else.")
    elif new.since > await now(tx):
        raise Conflict("That moment has not come yet.")


async def _record(tx: Tx, kind: EventKind, row: HoldRow, reason: str, authority: Authority) -> None:
    told = {"reason": reason, "subject": row.subject, "connection_id": row.connection_id}
    event = Event(
        kind=kind,
        subject=row.id,
        actor=authority.by,
        trace_id=authority.trace_id,
        facts={"kind": row.kind, "since": row.since.isoformat() if row.since else None},
        private={name: value for name, value in told.items() if value},
    )
    await append(tx, event, authority.keys)


def _hold(row: HoldRow) -> Hold:
    return Hold(
        id=row.id,
        kind=HoldKind(row.kind),
        subject=row.subject,
        connection_id=row.connection_id,
        since=row.since,
        reason=row.reason,
        set_by=row.set_by,
        set_at=row.set_at,
    )
