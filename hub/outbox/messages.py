"""Messages: put in the transaction that caused them, delivered at least once, given up in plain sight."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, select, update

from hub.core.errors import NotFound
from hub.core.ids import new_id
from hub.outbox.tables import MessageRow
from hub.storage import Database, Tx, insert_into, now

MAX_ATTEMPTS: Final = 10
"""With the pauses below, a message is tried for about four hours before it is given up."""

HANDLER_SECONDS: Final = 30
"""A handler that takes longer has failed this time."""

LONGEST_WAIT: Final = timedelta(days=1)
"""For how long a message waits for somebody who asks to wait, again and again."""

_LEASE: Final = timedelta(seconds=HANDLER_SECONDS * 2)
_FIRST_PAUSE: Final = timedelta(seconds=10)
_LONGEST_PAUSE: Final = timedelta(hours=1)

_log = logging.getLogger(__name__)


class MessageState(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a handler gets. It may get the same message twice: `id` is the same then, `attempt` is not."""

    id: str
    topic: str
    key: str
    payload: Any
    attempt: int
    created_at: datetime


Handler = Callable[[Message], Awaitable[None]]
"""Delivers a message; what it raises means "not delivered, try again later", unless it is `Undeliverable`."""


class Undeliverable(Exception):
    """A handler's word that trying again changes nothing: the message is given up at once, in plain sight."""


class NotNow(Exception):
    """A handler's word for when to try again, where whoever it hands over to has named a time."""

    def __init__(self, message: str, *, after: timedelta) -> None:
        super().__init__(message)
        self.after = after


async def put(tx: Tx, *, topic: str, payload: Any, key: str) -> None:  # noqa: ANN401  # any JSON value
    """Let a message leave if, and only if, `tx` commits; a second one with the same topic and key is the first."""
    moment = await now(tx)
    values = {
        "id": new_id("msg"),
        "topic": topic,
        "key": key,
        "payload": payload,
        "state": MessageState.WAITING.value,
        "attempts": 0,
        "due_at": moment,
        "created_at": moment,
    }
    await tx.execute(insert_into(tx, MessageRow).values(values).on_conflict_do_nothing(index_elements=["topic", "key"]))


async def deliver(database: Database, handlers: Mapping[str, Handler], *, limit: int = 50) -> int:
    """Hand messages that are due to the handler of their topic; return how many were delivered.

    Messages of a topic that has no handler here wait for a worker that has one. Any number of workers may do this.
    """
    taken = await _take(database, list(handlers), limit)
    outcomes = await asyncio.gather(*(_hand_over(message, handlers[message.topic]) for message in taken))
    async with database.transaction() as tx:
        for message, failure in zip(taken, outcomes, strict=True):
            await _record(tx, message, failure)
    return outcomes.count(None)


async def given_up(tx: Tx, *, limit: int = 100) -> list[tuple[Message, str]]:
    """Return the messages that were given up, newest first, each with the last error."""
    query = select(MessageRow).where(MessageRow.state == MessageState.GIVEN_UP.value)
    rows = await tx.scalars(query.order_by(MessageRow.due_at.desc(), MessageRow.id.desc()).limit(limit))
    return [(_message(row), row.last_error or "") for row in rows]


async def try_again(tx: Tx, message_id: str) -> None:
    """Let a message that was given up be tried from the beginning.

    Raises:
        NotFound: no such message was given up.
    """
    query = update(MessageRow).where(MessageRow.id == message_id, MessageRow.state == MessageState.GIVEN_UP.value)
    fresh = query.values(state=MessageState.WAITING.value, attempts=0, due_at=await now(tx), ended_at=None)
    if await tx.scalar(fresh.returning(MessageRow.id)) is None:
        raise NotFound(f"No message {message_id!r} was given up.")


async def forget_delivered(tx: Tx, *, older_than: timedelta) -> None:
    """Delete messages that were delivered longer ago than `older_than`."""
    before = await now(tx) - older_than
    await tx.execute(
        delete(MessageRow).where(MessageRow.state == MessageState.DELIVERED.value, MessageRow.ended_at < before)
    )


async def _take(database: Database, topics: list[str], limit: int) -> list[Message]:
    async with database.transaction() as tx:
        moment = await now(tx)
        due: list[ColumnElement[bool]] = [MessageRow.state == MessageState.WAITING.value, MessageRow.due_at <= moment]
        query = select(MessageRow).where(*due, MessageRow.topic.in_(topics)).order_by(MessageRow.due_at, MessageRow.id)
        rows = (await tx.scalars(query.limit(limit).with_for_update(skip_locked=True))).all()
        for row in rows:
            row.attempts += 1
            row.due_at = moment + _LEASE
        return [_message(row) for row in rows]


async def _hand_over(message: Message, handler: Handler) -> Exception | None:
    try:
        async with asyncio.timeout(HANDLER_SECONDS):
            await handler(message)
    except Exception as error:  # noqa: BLE001  # the worker's loop: note it, go on with the others, try again later
        _log.warning("message %s (%s) not delivered: %s", message.id, message.topic, error)
        return error
    return None


async def _record(tx: Tx, message: Message, failure: Exception | None) -> None:
    moment = await now(tx)
    error = None if failure is None else f"{type(failure).__name__}: {failure}"[:2000]
    values: dict[str, Any]
    if failure is None:
        values = {"state": MessageState.DELIVERED.value, "ended_at": moment, "last_error": None}
    elif isinstance(failure, Undeliverable) or _is_spent(message, failure, moment):
        values = {"state": MessageState.GIVEN_UP.value, "ended_at": moment, "last_error": error}
    else:
        pause = failure.after if isinstance(failure, NotNow) else pause_after(message.attempt)
        values = {"due_at": moment + pause, "last_error": error}
    # The attempt is a fencing number: whoever was too slow and lost the message to another worker changes nothing.
    mine = (MessageRow.id == message.id, MessageRow.attempts == message.attempt)
    await tx.execute(update(MessageRow).where(*mine, MessageRow.state == MessageState.WAITING.value).values(values))


def _is_spent(message: Message, failure: Exception, moment: datetime) -> bool:
    """Return whether there is no attempt left; who asks to wait is waited for, but not for ever."""
    if isinstance(failure, NotNow):
        return moment - message.created_at > LONGEST_WAIT
    return message.attempt >= MAX_ATTEMPTS


def pause_after(attempt: int) -> timedelta:
    """Return how long to wait after the failed `attempt` (from 1): it doubles up to an hour."""
    doubled: int = 2 ** min(attempt - 1, 20)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)


def _message(row: MessageRow) -> Message:
    return Message(
        id=row.id, topic=row.topic, key=row.key, payload=row.payload, attempt=row.attempts, created_at=row.created_at
    )
