"""Cost centres: who answers for them, what is assigned to them from when on, and that the past stays where it was."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import Final, Literal

from sqlalchemy import select

from hub.audit import EventKind
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.core.ids import new_id
from hub.identity import directory
from hub.identity.authority import Authority
from hub.identity.permissions import Permission, demand, may
from hub.identity.principals import Principal, PrincipalKind
from hub.metrics.assignments import Assignment, Bearer, assignment_of
from hub.metrics.tables import AssignmentRow, CentreRow
from hub.registry.tables import ServerRow
from hub.storage import Tx, now

_LOCK: Final = "cost centres"
_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_LONGEST_TITLE: Final = 120
NO_CENTRE: Final = "There is no such cost centre."


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """A cost centre; nothing is assigned to one that is closed."""

    id: str
    code: str
    title: str
    owner_id: str
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCentre:
    """A cost centre to be opened: its code in the books, its title, and who answers for it, by account name."""

    code: str
    title: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where the costs of a bearer are to go; `centre_id` None: to none. `valid_from` None: from now on."""

    kind: Bearer
    subject: str
    centre_id: str | None
    valid_from: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One assignment, and until when it held; None: it still does, or will."""

    assignment: Assignment
    valid_until: datetime | None


async def open_centre(tx: Tx, new: NewCentre, person: Principal, authority: Authority) -> Centre:
    """Open a cost centre.

    Raises:
        Conflict: there is one with this code.
        Forbidden: only administrators may.
        InputError: code or title cannot be used.
        NotFound: there is no such owner.
    """
    demand(person, Permission.MANAGE_COSTS)
    await authority.database.lock(tx, _LOCK)
    if not _CODE.fullmatch(new.code):
        raise InputError("A code has at most 32 letters, digits, points, dashes and underscores.")
    if await tx.scalar(select(CentreRow.id).where(CentreRow.code == new.code)) is not None:
        raise Conflict(f"There is a cost centre {new.code} already; codes are never used again.")
    row = CentreRow(
        id=new_id("cc"),
        code=new.code,
        title=_title(new.title),
        owner_id=(await _owner(tx, new.owner)).id,
        created_at=await now(tx),
    )
    tx.add(row)
    await tx.flush()
    await authority.record(tx, EventKind.CENTRE_OPENED, row.id, code=row.code, title=row.title, owner=row.owner_id)
    return _centre(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be different of a cost centre; empty: it stays."""

    title: str = ""
    owner: str = ""


async def change_centre(tx: Tx, centre_id: str, change: Change, person: Principal, authority: Authority) -> Centre:
    """Give a cost centre another title or owner; its code and its past stay.

    Raises:
        Conflict: it is closed.
        Forbidden: only administrators may.
        InputError: the title cannot be used.
        NotFound: there is no such cost centre or owner.
    """
    demand(person, Permission.MANAGE_COSTS)
    row = await _open_row(tx, centre_id)
    if change.title:
        row.title = _title(change.title)
    if change.owner:
        row.owner_id = (await _owner(tx, change.owner)).id
    await tx.flush()
    await authority.record(tx, EventKind.CENTRE_CHANGED, row.id, title=row.title, owner=row.owner_id)
    return _centre(row)


async def close_centre(tx: Tx, centre_id: str, person: Principal, authority: Authority) -> None:
    """Close a cost centre: nothing more goes there, and what went there stays.

    Raises:
        Conflict: it is closed, or something is assigned to it, now or later.
        Forbidden: only administrators may.
        NotFound: there is no such cost centre.
    """
    demand(person, Permission.MANAGE_COSTS)
    await authority.database.lock(tx, _LOCK)
    row, at = await _open_row(tx, centre_id), await now(tx)
    known = await assignments_to(tx, centre_id)
    if still := [one.assignment.subject for one in known if one.valid_until is None or one.valid_until > at]:
        raise Conflict(f"Assign elsewhere first: {', '.join(sorted(set(still))[:5])}.")
    row.closed_at = at
    await tx.flush()
    await authority.record(tx, EventKind.CENTRE_CLOSED, row.id, code=row.code)


async def assign(tx: Tx, wish: Wish, person: Principal, authority: Authority) -> Assignment:
    """Let the costs of an agent, a user or a server go to a cost centre from a moment on; earlier costs stay.

    Administrators may assign anything. Who answers for a centre may take in what belongs to none, or to another of
    theirs, and let it go.

    Raises:
        Conflict: the centre is closed.
        Forbidden: they answer for no centre.
        InputError: the moment has passed.
        NotFound: there is no such centre, agent, user or server, or it belongs to the centre of somebody else.
    """
    await authority.database.lock(tx, _LOCK)
    owned = await _answered_for(tx, person)
    at = await now(tx)
    if wish.valid_from is not None and wish.valid_from < at:
        raise InputError("Past costs stay where they were: assign from now on, or from a later moment.")
    if wish.centre_id is not None:
        visible = await centre(tx, wish.centre_id, person)
        await _open_row(tx, visible.id)
    if not await _is_known(tx, wish) or not await _may_move(tx, replace(wish, valid_from=wish.valid_from or at), owned):
        raise NotFound(f"There is no {wish.kind.value} {wish.subject!r} that you may assign. Give its id or name.")
    row = AssignmentRow(
        id=new_id("ca"),
        kind=wish.kind.value,
        subject=wish.subject,
        centre_id=wish.centre_id,
        valid_from=wish.valid_from or at,
        assigned_by=authority.by,
        assigned_at=at,
    )
    tx.add(row)
    await tx.flush()
    await authority.record(
        tx,
        EventKind.COSTS_ASSIGNED,
        wish.subject,
        of=wish.kind.value,
        centre=wish.centre_id,
        valid_from=row.valid_from.isoformat(),
    )
    return assignment_of(row)


async def centres(tx: Tx, person: Principal) -> list[Centre]:
    """Return the cost centres somebody may see, by their codes: all for those who see every number, else their own."""
    rows = await tx.scalars(select(CentreRow).order_by(CentreRow.code))
    return [_centre(row) for row in rows if _may_see(person, row)]


async def centre(tx: Tx, centre_id: str, person: Principal) -> Centre:
    """Return one cost centre.

    Raises:
        NotFound: there is none, or it is none of their business.
    """
    row = await tx.get(CentreRow, centre_id)
    if row is None or not _may_see(person, row):
        raise NotFound(NO_CENTRE)
    return _centre(row)


async def centre_id_of(tx: Tx, code: str) -> str | None:
    """Return the id of the cost centre with this code, whoever asks; None: there is none."""
    found: str | None = await tx.scalar(select(CentreRow.id).where(CentreRow.code == code))
    return found


async def assignments_to(tx: Tx, centre_id: str) -> list[Stretch]:
    """Return everything that was ever assigned to a centre, the latest first."""
    mine = select(AssignmentRow.kind, AssignmentRow.subject).where(AssignmentRow.centre_id == centre_id).distinct()
    found = list[Stretch]()
    for kind, subject in (await tx.execute(mine)).all():
        found += [one for one in await _history(tx, Bearer(kind), subject) if one.assignment.centre_id == centre_id]
    return sorted(found, key=lambda one: (one.assignment.valid_from, one.assignment.id), reverse=True)


async def _history(tx: Tx, kind: Bearer, subject: str) -> list[Stretch]:
    row = AssignmentRow
    query = select(row).where(row.kind == kind.value, row.subject == subject).order_by(row.valid_from, row.id)
    known = [assignment_of(one) for one in await tx.scalars(query)]
    return [
        Stretch(assignment=one, valid_until=following.valid_from if following else None)
        for one, following in zip_longest(known, known[1:])
    ]


async def _answered_for(tx: Tx, person: Principal) -> frozenset[str] | Literal["all"]:
    """Return the centres from and to which somebody may move costs.

    Raises:
        Forbidden: there are none.
    """
    if may(person, Permission.MANAGE_COSTS):
        return "all"
    owned = frozenset(await tx.scalars(select(CentreRow.id).where(CentreRow.owner_id == person.id)))
    if not owned:
        raise Forbidden("Only administrators, and whoever answers for a cost centre, may assign costs.")
    return owned


async def _may_move(tx: Tx, wish: Wish, owned: frozenset[str] | Literal["all"]) -> bool:
    """Return whether everything is theirs that the wish takes from: what is assigned now, and what will be."""
    if owned == "all":
        return True
    history = _from_then(await _history(tx, wish.kind, wish.subject), wish.valid_from)
    concerned = {one.assignment.centre_id for one in history} | {wish.centre_id}
    return {one for one in concerned if one is not None} <= owned


def _from_then(history: Iterable[Stretch], at: datetime | None) -> list[Stretch]:
    return [one for one in history if one.valid_until is None or at is None or one.valid_until > at]


async def _is_known(tx: Tx, wish: Wish) -> bool:
    if wish.kind is Bearer.SERVER:
        return directory.is_plain(wish.subject) and await tx.get(ServerRow, wish.subject) is not None
    found = (await directory.get_many(tx, [wish.subject])).get(wish.subject)
    return found is not None and (found.kind is PrincipalKind.USER) is (wish.kind is Bearer.USER)


async def _open_row(tx: Tx, centre_id: str) -> CentreRow:
    row = await tx.get(CentreRow, centre_id, with_for_update=True)
    if row is None:
        raise NotFound(NO_CENTRE)
    if row.closed_at is not None:
        raise Conflict("This cost centre is closed.")
    return row


async def _owner(tx: Tx, name: str) -> Principal:
    found = await directory.find(tx, name)
    if found is None or found.kind is not PrincipalKind.USER:
        raise NotFound(f"There is no user {name!r} who could answer for it.")
    return found


def _title(text: str) -> str:
    title = " ".join(text.split())
    if not title or len(title) > _LONGEST_TITLE:
        raise InputError(f"A title has from 1 to {_LONGEST_TITLE} characters.")
    return title


def _may_see(person: Principal, row: CentreRow) -> bool:
    sees_all = may(person, Permission.SEE_METRICS) or may(person, Permission.MANAGE_COSTS)
    return sees_all or row.owner_id == person.id


def _centre(row: CentreRow) -> Centre:
    return Centre(
        id=row.id,
        code=row.code,
        title=row.title,
        owner_id=row.owner_id,
        created_at=row.created_at,
        closed_at=row.closed_at,
    )
