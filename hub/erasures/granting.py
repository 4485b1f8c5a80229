"""Granting an erasure: an auditor's word, the deletion and what the log says of it, in one transaction.

A process that dies in between has changed nothing; the erasure waits as before.
"""

from hub.audit import Because, Cause, EventKind, erase_named, values_kept
from hub.core.errors import Conflict, Forbidden
from hub.erasures.asking import Erasure, Stage, erasure, open_erasure, record
from hub.erasures.holds import held, items_of
from hub.erasures.scopes import Extent, Reach, ScopeKind, parts, reach_of
from hub.erasures.tables import ErasureRow
from hub.identity.authority import Authority
from hub.identity.permissions import Permission, demand
from hub.identity.principals import Principal
from hub.invocations.emptying import Emptied, empty
from hub.storage import Tx, now


async def grant(tx: Tx, erasure_id: str, auditor: Principal, authority: Authority) -> Erasure:
    """Carry out an erasure that somebody else has asked for; everything of it is deleted, or nothing.

    Raises:
        Forbidden: not an auditor, or the one who asked, or the one whose data it is.
        NotFound: there is none.
        Conflict: it is decided already, a legal hold stands over some of it, or some of it has not ended.
    """
    demand(auditor, Permission.GRANT_ERASURE)
    row = await open_erasure(tx, erasure_id, authority)
    asked = erasure(row)
    _refuse_own(asked, auditor)
    reach = await reach_of(tx, asked.scope)
    await _refuse_held(tx, reach)
    extent = await _delete(tx, reach, row, authority)
    row.stage, row.decided_by, row.decided_at = Stage.DONE.value, auditor.id, await now(tx)
    row.counts = extent.as_json()
    await tx.flush()
    await record(tx, EventKind.ERASURE_GRANTED, row, authority, facts=extent.as_json())
    return erasure(row)


def _refuse_own(asked: Erasure, auditor: Principal) -> None:
    if auditor.id == asked.asked_by:
        raise Forbidden("Another auditor has to grant this: you asked for it.")
    if asked.scope.kind is ScopeKind.PERSON and auditor.id == asked.scope.subject:
        raise Forbidden("Another auditor has to grant this: it is about yourself.")


async def _refuse_held(tx: Tx, reach: Reach) -> None:
    over = await held(tx, await items_of(tx, reach.subjects))
    if over:
        hold = next(iter(over.values()))
        raise Conflict(f"A {hold} forbids it: {len(over)} of what it would erase must be kept.")


async def _delete(tx: Tx, reach: Reach, row: ErasureRow, authority: Authority) -> Extent:
    emptied: list[Emptied] = [await empty(tx, authority.keys, some) for some in parts(reach.invocations)]
    named = await values_kept(tx, reach.subjects)
    cause = Cause(because=Because.ERASURE, by=authority.by, subject=row.id, facts={"erasure": row.id})
    await erase_named(tx, authority.keys, named, cause)
    return Extent(
        invocations=sum(one.invocations for one in emptied),
        previews=sum(one.previews for one in emptied),
        events=len(named),
        values=sum(map(len, named.values())),
    )
