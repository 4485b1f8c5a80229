"""When leave to act for a person ended: what counts for calls that wait longer than any token or grant lasts.

Grants expire within minutes or months and are swept, which takes nothing back. What does is kept here for good: one row
for each pair, so that it stays small.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import InstrumentedAttribute

from hub.identity.tables import ExternalIdentityRow, LeaveEndRow
from hub.storage import Tx, insert_into, now

Column = InstrumentedAttribute[str] | InstrumentedAttribute[str | None]
_ANY: Final = ""


async def end_leave(tx: Tx, *, user_id: str = _ANY, client_id: str = _ANY) -> None:
    """Let nothing go on that a client had asked for in a person's name by now; without one of them: whichever it is.

    It comes after the grants that end with it, in every transaction: so no two of them wait for each other.
    """
    at = await now(tx)
    statement = insert_into(tx, LeaveEndRow).values(user_id=user_id, client_id=client_id, ended_at=at)
    pair, is_later = ["user_id", "client_id"], LeaveEndRow.ended_at < at  # by whatever clock: it never goes back
    await tx.execute(statement.on_conflict_do_update(index_elements=pair, set_={"ended_at": at}, where=is_later))


async def has_leave_ended(tx: Tx, user_id: str, client_ids: Collection[str], *, since: datetime) -> bool:
    """Return whether the leave of any of these clients to act for a person has ended after `since`."""
    theirs = (LeaveEndRow.user_id.in_((user_id, _ANY)), LeaveEndRow.client_id.in_((*client_ids, _ANY)))
    return bool(await tx.scalar(select(exists().where(*theirs, LeaveEndRow.ended_at > since))))


def leave_ended_since(user_id: Column, client_id: Column, since: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return the condition of rows since whose moment the leave of their client to act for their person has ended."""
    theirs = (LeaveEndRow.user_id.in_((user_id, _ANY)), LeaveEndRow.client_id.in_((client_id, _ANY)))
    return exists().where(*theirs, LeaveEndRow.ended_at > since)


async def has_link_ended(tx: Tx, user_id: str, issuer: str, *, since: datetime) -> bool:
    """Return whether an issuer speaks for a person no more, or does so again by a link that is younger than `since`."""
    theirs = (ExternalIdentityRow.principal_id == user_id, ExternalIdentityRow.issuer == issuer)
    return not await tx.scalar(select(exists().where(*theirs, ExternalIdentityRow.linked_at <= since)))
