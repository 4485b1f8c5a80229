"""Task handles: what a client that knows tasks holds of one of its invocations; random, and nobody else's."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, select, update

from hub.core.errors import NotFound
from hub.identity.principals import Caller
from hub.invocations.tables import TaskHandleRow
from hub.invocations.values import Invocation
from hub.storage import Tx, insert_into, now

Json = Any
"""Any JSON value."""

LASTS: Final = timedelta(days=20)
"""How long a handle is good for, unless people may take longer. Its milliseconds fit the 32 bits some clients have."""
AFTER_THE_END: Final = timedelta(days=4)
"""For how long at least the outcome can be fetched once the time of a question is over."""
RANDOM_BYTES: Final = 24
CALLED_OFF: Final = "cancelled"
"""The code of a task that its client has cancelled while it asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a task came to between two rounds, when no invocation stands for it: why, as a refusal is told."""

    code: str
    message: str

    @property
    def is_called_off(self) -> bool:
        """Return whether its client has cancelled it."""
        return self.code == CALLED_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """One task: which invocation it stands for, until when, and what its client has said meanwhile."""

    id: str
    invocation_id: str
    created_at: datetime
    updated_at: datetime
    """When its client has last said something that it tells; what its invocation has come to since is not in it."""
    ends_at: datetime
    answered: frozenset[str]
    """The input requests that the client has answered. What it answered is no more than what it says."""
    is_too_late: bool
    """The client wanted to call it off, and it could no longer be."""
    ended: Ended | None = None

    @property
    def lasts_ms(self) -> int:
        """Return how long after its creation it is good for, in milliseconds."""
        return int((self.ends_at - self.created_at) / timedelta(milliseconds=1))


async def hand_out(tx: Tx, caller: Caller, server: str, invocation: Invocation) -> Handle:
    """Return the caller's handle of `invocation` at `server`: the one it has, or a new one if its time is over."""
    at = await now(tx)
    ends_at = max(at + LASTS, invocation.expires_at + AFTER_THE_END if invocation.expires_at else at)
    fresh: dict[str, Json] = {
        "id": f"task_{token_urlsafe(RANDOM_BYTES)}",
        "created_at": at,
        "updated_at": at,
        "ends_at": ends_at,
        "answered": [],
        "is_too_late": False,
        "ended": None,
    }
    whose = {"invocation_id": invocation.id, "bound_to": caller.visible_key, "server": server}
    new = insert_into(tx, TaskHandleRow).values(**whose, **fresh)
    is_over = TaskHandleRow.ends_at <= at
    await tx.execute(new.on_conflict_do_update(index_elements=[*whose], set_=fresh, where=is_over))
    mine = (TaskHandleRow.invocation_id == invocation.id, *_of(caller, server))
    row = await tx.scalar(select(TaskHandleRow).where(*mine))
    assert row is not None  # noqa: S101  # it is there, ours or an earlier one
    return _handle(row)


async def find_handle(tx: Tx, caller: Caller, server: str, handle_id: str) -> Handle:
    """Return one of the caller's handles.

    Raises:
        NotFound: there is none, it is somebody else's, of another server, or its time is over.
    """
    mine = (TaskHandleRow.id == handle_id, *_of(caller, server), TaskHandleRow.ends_at > await now(tx))
    row = await tx.scalar(select(TaskHandleRow).where(*mine))
    if row is None:
        raise NotFound("There is no such task, or not any more.")
    return _handle(row)


async def outlast(tx: Tx, invocation_id: str, until: datetime) -> None:
    """Let the handles of an invocation last as long as people may take now, and the outcome can be fetched after."""
    ends_at = until + AFTER_THE_END
    shorter = (TaskHandleRow.invocation_id == invocation_id, TaskHandleRow.ends_at < ends_at)
    await tx.execute(update(TaskHandleRow).where(*shorter).values(ends_at=ends_at))


async def note_answers(tx: Tx, handle: Handle, keys: frozenset[str]) -> None:
    """Keep that the client has answered these input requests, so that it is not asked them again."""
    row = await tx.scalar(select(TaskHandleRow).where(TaskHandleRow.id == handle.id).with_for_update())
    if row is not None and not keys <= {*row.answered}:
        row.answered = sorted({*row.answered, *keys})
        row.updated_at = await now(tx)


async def note_replies(tx: Tx, handle: Handle) -> None:
    """Keep that the client has just replied to what a system asks; the replies are kept with the questions."""
    await _change(tx, handle)


async def note_too_late(tx: Tx, handle: Handle) -> None:
    """Keep that the client wanted to call it off when it could no longer be."""
    await _change(tx, handle, is_too_late=True)


async def end_handle(tx: Tx, handle: Handle, ended: Ended) -> None:
    """Keep what the task came to, in the place of what its invocation says."""
    await _change(tx, handle, ended={"code": ended.code, "message": ended.message})


async def forget_handles(tx: Tx) -> None:
    """Delete the handles whose time is over."""
    await tx.execute(delete(TaskHandleRow).where(TaskHandleRow.ends_at <= await now(tx)))


async def _change(tx: Tx, handle: Handle, **changes: Json) -> None:
    changed = {**changes, "updated_at": await now(tx)}
    await tx.execute(update(TaskHandleRow).where(TaskHandleRow.id == handle.id).values(changed))


def _of(caller: Caller, server: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (TaskHandleRow.bound_to == caller.visible_key, TaskHandleRow.server == server)


def _handle(row: TaskHandleRow) -> Handle:
    return Handle(
        id=row.id,
        invocation_id=row.invocation_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        ends_at=row.ends_at,
        answered=frozenset(row.answered),
        is_too_late=row.is_too_late,
        ended=None if row.ended is None else Ended(**row.ended),
    )
