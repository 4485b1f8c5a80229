"""Messages in Slack on record: on record before one is sent, so that one that is sent again can say so.

Slack gives no key that makes a message the same when it is sent twice. So a message is noted first, without the name
that Slack will give it. Who finds such a note has died in between, or was not answered: it sends again, with a mark.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import delete, select, update

from hub.channels.notices import Notice
from hub.channels.tables import SlackMessageRow
from hub.core.ids import new_id
from hub.storage import Tx, insert_into, now

PREFIX: Final = "slm"

Json = Any
"""Any JSON value."""


async def noted(tx: Tx, notice: Notice, person_id: str) -> tuple[SlackMessageRow, bool]:
    """Return the note of the message of `notice` to a person, and whether it was there before."""
    fresh = {
        "id": new_id(PREFIX),
        "notice_id": notice.id,
        "invocation_id": notice.about,
        "approval_digest": notice.facts.get("approval_digest", ""),
        "principal_id": person_id,
        "conversation": "",
        "timestamp": "",
        "is_over": False,
        "posted_at": await now(tx),
    }
    once = insert_into(tx, SlackMessageRow).values(fresh)
    await tx.execute(once.on_conflict_do_nothing(index_elements=["notice_id", "principal_id"]))
    row = SlackMessageRow
    found = await tx.scalar(select(row).where(row.notice_id == notice.id, row.principal_id == person_id))
    assert found is not None  # noqa: S101  # it was there, or is now
    return found, found.id != fresh["id"]


async def forget(tx: Tx, message_id: str) -> None:
    """Take back the note of a message that Slack has certainly not taken."""
    await tx.execute(delete(SlackMessageRow).where(SlackMessageRow.id == message_id))


async def keep(tx: Tx, message_id: str, answer: Mapping[str, Json], *, is_over: bool) -> None:
    """Put on record what Slack calls the message, and whether it is to be brought up to date."""
    conversation, timestamp = str(answer.get("channel", "")), str(answer.get("ts", ""))
    known = {"conversation": conversation, "timestamp": timestamp, "is_over": is_over}
    await tx.execute(update(SlackMessageRow).where(SlackMessageRow.id == message_id).values(known))


async def pending(tx: Tx, about: str) -> list[SlackMessageRow]:
    """Return the messages about something that are to be brought up to date, and can be."""
    row = SlackMessageRow
    query = select(row).where(row.invocation_id == about, row.is_over.is_(False), row.timestamp != "")
    return list(await tx.scalars(query.order_by(row.id)))
