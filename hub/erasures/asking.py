"""Asking for an erasure, and what is on record of those that were asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import select

from hub.audit import Event, EventKind, append
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.ids import new_id
from hub.erasures.holds import LOCK, LONGEST_REASON
from hub.erasures.scopes import Scope, ScopeKind, extent_of, reach_of
from hub.erasures.tables import ErasureRow
from hub.identity.authority import Authority
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Principal
from hub.invocations.emptying import refuse_waiting
from hub.storage import Tx, now

MOST_SHOWN: Final = 200


class Stage(StrEnum):
    """Where an erasure stands."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewErasure:
    """An erasure that somebody asks for, and why."""

    scope: Scope
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """An erasure as it stands; `counts` says how much was deleted."""

    id: str
    scope: Scope
    reason: str
    asked_by: str
    asked_at: datetime
    stage: Stage
    decided_by: str | None
    decided_at: datetime | None
    answer: str | None
    counts: Mapping[str, int]


async def ask(tx: Tx, new: NewErasure, person: Principal, authority: Authority) -> Erasure:
    """Put on record that `person` asks for an erasure; nothing is deleted before an auditor grants it.

    Raises:
        Forbidden: the person may not ask.
        InputError: no reason, or the scope makes no sense.
        NotFound: there is nothing like what the scope names.
        Conflict: some of it has not ended, there is nothing to delete, or the same was asked for already.
    """
    demand(person, Permission.ASK_ERASURE)
    reason = _said(new.reason, "Say why it is to be erased; the reason is kept on record.")
    await authority.database.lock(tx, LOCK)
    reach = await reach_of(tx, new.scope)
    await refuse_waiting(tx, reach.invocations)
    extent = await extent_of(tx, reach)
    if extent.is_nothing:
        raise Conflict("There is nothing to erase: no values of it are on record.")
    await _refuse_twice(tx, new.scope)
    row = ErasureRow(
        id=new_id("ers"),
        kind=new.scope.kind.value,
        subject=new.scope.subject,
        connection_id=new.scope.connection_id,
        reason=reason,
        asked_by=person.id,
        asked_at=await now(tx),
        stage=Stage.ASKED.value,
        counts={},
    )
    tx.add(row)
    await tx.flush()
    private = {"reason": reason, "scope": str(new.scope)}
    await record(tx, EventKind.ERASURE_ASKED, row, authority, facts=extent.as_json(), private=private)
    return erasure(row)


async def refuse(tx: Tx, erasure_id: str, reason: str, auditor: Principal, authority: Authority) -> Erasure:
    """Refuse an erasure that was asked for.

    Raises:
        Forbidden: not an auditor.
        InputError: no reason.
        NotFound, Conflict: there is none, or it is decided already.
    """
    demand(auditor, Permission.GRANT_ERASURE)
    answer = _said(reason, "Say why it is refused; whoever asked is told.")
    row = await open_erasure(tx, erasure_id, authority)
    row.stage, row.decided_by, row.decided_at, row.answer = Stage.REFUSED.value, auditor.id, await now(tx), answer
    await tx.flush()
    await record(tx, EventKind.ERASURE_REFUSED, row, authority, private={"reason": answer})
    return erasure(row)


async def erasures(tx: Tx, *, asked_by: str | None = None) -> list[Erasure]:
    """Return the newest erasures, those of one person if `asked_by` names one."""
    query = select(ErasureRow).order_by(ErasureRow.id.desc()).limit(MOST_SHOWN)
    theirs = query if asked_by is None else query.where(ErasureRow.asked_by == asked_by)
    return [erasure(row) for row in await tx.scalars(theirs)]


async def get_erasure(tx: Tx, erasure_id: str) -> Erasure:
    """Return one erasure.

    Raises:
        NotFound: there is none with this id.
    """
    row = await tx.get(ErasureRow, erasure_id, populate_existing=True)
    if row is None:
        raise NotFound("There is no such erasure.")
    return erasure(row)


async def open_erasure(tx: Tx, erasure_id: str, authority: Authority) -> ErasureRow:
    """Return the row of an erasure that waits to be decided; nobody else decides it before `tx` ends.

    Raises:
        NotFound: there is none with this id.
        Conflict: it is decided already.
    """
    await authority.database.lock(tx, LOCK)
    row = await tx.get(ErasureRow, erasure_id, populate_existing=True)
    if row is None:
        raise NotFound("There is no such erasure.")
    if row.stage != Stage.ASKED.value:
        raise Conflict(f"This erasure is {row.stage} already.")
    return row


async def record(
    tx: Tx,
    kind: EventKind,
    row: ErasureRow,
    authority: Authority,
    **more: Mapping[str, Any],
) -> str:
    """Append the event that something became of an erasure: `facts` and `private` beside what it is about."""
    event = Event(
        kind=kind,
        subject=row.id,
        actor=authority.by,
        trace_id=authority.trace_id,
        facts={"kind": row.kind, "asked_by": row.asked_by, **more.get("facts", {})},
        private=more.get("private", {}),
    )
    return await append(tx, event, authority.keys)


def erasure(row: ErasureRow) -> Erasure:
    """Return the value that `row` stands for."""
    return Erasure(
        id=row.id,
        scope=Scope(kind=ScopeKind(row.kind), subject=row.subject, connection_id=row.connection_id),
        reason=row.reason,
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        stage=Stage(row.stage),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        answer=row.answer,
        counts=row.counts,
    )


async def _refuse_twice(tx: Tx, scope: Scope) -> None:
    same = select(ErasureRow.id).where(
        ErasureRow.stage == Stage.ASKED.value,
        ErasureRow.kind == scope.kind.value,
        ErasureRow.subject == scope.subject,
        ErasureRow.connection_id.is_not_distinct_from(scope.connection_id),
    )
    earlier = await tx.scalar(same.limit(1))
    if earlier is not None:
        raise Conflict(f"That was asked for already: erasure {earlier} waits for an auditor.")


def _said(reason: str, demanded: str) -> str:
    said = reason.strip()
    if not 0 < len(said) <= LONGEST_REASON:
        raise InputError(demanded)
    return said
