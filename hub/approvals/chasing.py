"""Chasing: which open questions people are reminded of, or others are told of; marked once each, on the record."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from hub.approvals.tables import QuestionRow
from hub.storage import Tx, database_now, now

HALF: Final = 1 / 2
THREE_QUARTERS: Final = 3 / 4


class Chase(StrEnum):
    """What happens when a question has waited long."""

    REMINDER = "reminder"
    ESCALATION = "escalation"


def moments(opened_at: datetime, expires_at: datetime) -> tuple[datetime, datetime]:
    """Return when people are reminded of a question, and when others are told."""
    allowed = expires_at - opened_at
    return opened_at + allowed * HALF, opened_at + allowed * THREE_QUARTERS


async def to_be_chased(tx: Tx, *, limit: int) -> list[tuple[str, Chase]]:
    """Return the invocations whose open question is due for a reminder or an escalation, the most urgent first."""
    at = await now(tx)
    reminder = and_(QuestionRow.remind_at <= at, QuestionRow.reminded_at.is_(None))
    escalation = and_(QuestionRow.escalate_at <= at, QuestionRow.escalated_at.is_(None))
    is_open = (QuestionRow.is_open, QuestionRow.expires_at > at)
    query = select(QuestionRow).where(*is_open, or_(reminder, escalation)).order_by(QuestionRow.expires_at)
    found: list[tuple[str, Chase]] = []
    for row in await tx.scalars(query.limit(limit)):
        if row.remind_at <= at and row.reminded_at is None:
            found.append((row.invocation_id, Chase.REMINDER))
        if row.escalate_at <= at and row.escalated_at is None:
            found.append((row.invocation_id, Chase.ESCALATION))
    return found


async def mark_chased(tx: Tx, approval_digest: str, chase: Chase, *, people: Sequence[str]) -> bool:
    """Put on record that it is done, and who may look from now on; return whether it was still to be done."""
    due, done = _COLUMNS[chase]
    where = (
        QuestionRow.digest == approval_digest,
        QuestionRow.is_open,
        QuestionRow.expires_at > database_now(),
        due <= database_now(),
        done.is_(None),
    )
    values = {done.key: await now(tx)} | ({"told_people": list(people)} if chase is Chase.ESCALATION else {})
    marked = await tx.scalar(update(QuestionRow).where(*where).values(values).returning(QuestionRow.digest))
    return marked is not None


_COLUMNS: Final[dict[Chase, tuple[InstrumentedAttribute[datetime], InstrumentedAttribute[datetime | None]]]] = {
    Chase.REMINDER: (QuestionRow.remind_at, QuestionRow.reminded_at),
    Chase.ESCALATION: (QuestionRow.escalate_at, QuestionRow.escalated_at),
}
