"""What systems ask late: of reads that have become tasks, kept until their clients have replied, and no longer.

The questions, the replies so far and the call that they belong to are encrypted in one row for the read that ended with
them. Whoever replied last claims the next round; it is a read of its own, and once it is on record the task goes on
with it and the row is gone. So any process can take a reply in, and go on where another one has died.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, select, update

from connectors.sdk.run import Replies
from hub.core.ids import new_id
from hub.execution import INPUT_REQUIRED
from hub.identity.principals import Caller
from hub.invocations.handles import Ended, Handle, end_handle
from hub.invocations.journal import hold
from hub.invocations.tables import InvocationRow, LateQuestionsRow, TaskHandleRow
from hub.invocations.values import Asks, Call, Claims, Client, Invocation
from hub.keys import Keyring
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

LASTS: Final = timedelta(days=1)
"""How long a client may take to reply; then the task is over, and what was asked and replied is deleted."""
MOST_ROUNDS: Final = 8
LONGEST: Final = 1024 * 1024
"""Characters of what is asked at once; what is longer could be put to no client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """What one read was asked late, by whom, and how far its client has replied."""

    invocation_id: str
    round: int
    """The first round of a call is 1."""
    asks: Asks
    can: Mapping[str, Json]
    """What the client declared, when it made the call, that it can be asked."""
    replies: Mapping[str, Json]
    call: Mapping[str, Json]
    connection_id: str
    until: datetime
    next_id: str | None
    """What the next round is called on record, once all replies are there."""
    is_left: bool
    """All replies are there, and nobody makes the next round: whoever was to do so has died, or could not."""

    @property
    def is_replied(self) -> bool:
        """Return whether nothing is missing, and the next round is under way or should be."""
        return self.replies.keys() >= self.asks.requests.keys()

    def next_call(self, caller: Caller, trace_id: str) -> Call:
        """Return the call that is the next round, made by the caller who has replied."""
        given = Replies(can=self.can, given=self.replies, state=self.asks.state)
        return Call(
            caller=caller,
            server=self.call["server"],
            tool=self.call["tool"],
            arguments=self.call["arguments"],
            through=self.call["through"],
            claims=Claims(**self.call["claims"]),
            trace_id=trace_id,
            known_as=self.next_id,
            client=Client(replies=given, asked_by=self.connection_id),
            late_round=self.round + 1,
        )


async def keep_questions(tx: Tx, asked: Invocation, call: Call, keys: Keyring) -> None:
    """Keep what a read was asked whose client waits for a task by now, unless it was asked too often already."""
    asks = asked.asks
    if asks is None:
        return
    is_asked = call.late_round is not None and call.late_round <= MOST_ROUNDS and bool(asks.requests)
    if not is_asked or len(json.dumps(asks.requests)) > LONGEST:
        return
    made = {
        "server": call.server,
        "tool": call.tool,
        "arguments": call.arguments,
        "through": call.through,
        "claims": asdict(call.claims),
    }
    kept = {"asks": asdict(asks), "can": dict(call.client.replies.can), "call": made, "replies": {}}
    row = LateQuestionsRow(
        invocation_id=asked.id,
        connection_id=asked.connection_id,
        round=call.late_round or 1,
        kept=_sealed(kept, asked.id, keys),
        until=await now(tx) + LASTS,
    )
    tx.add(row)
    await tx.flush()


def was_asked(invocation: Invocation) -> bool:
    """Return whether it ended without an answer, because its system asks first."""
    return invocation.error_code == INPUT_REQUIRED


async def find_late(tx: Tx, invocation_id: str, keys: Keyring) -> Late | None:
    """Return what a read was asked late; None: nothing, its task has gone on, or the time to reply is over."""
    at = await now(tx)
    in_time = (LateQuestionsRow.invocation_id == invocation_id, LateQuestionsRow.until > at)
    row = await tx.scalar(select(LateQuestionsRow).where(*in_time))
    return None if row is None else _late(row, keys, at=at)


async def take_replies(tx: Tx, late: Late, given: Mapping[str, Json], keys: Keyring) -> Late | None:
    """Keep replies to questions of `late` that nobody has replied to yet; the first reply to each counts.

    Return how it stands if these were the last that were missing, so that the next round is for whoever gave them;
    else None.
    """
    row = await _held(tx, late)
    if row is None:
        return None
    standing = _late(row, keys, at=await now(tx))
    new = {name: one for name, one in given.items() if name in standing.asks.requests and name not in standing.replies}
    if not new:
        return None
    replied = replace(standing, replies={**standing.replies, **new})
    kept: dict[str, Json] = {**_opened(row, keys), "replies": dict(replied.replies)}
    row.kept = _sealed(kept, row.invocation_id, keys)
    await tx.flush()
    return replied if replied.is_replied else None


async def claim_round(tx: Tx, late: Late, lease: timedelta, keys: Keyring) -> Late | None:
    """Return `late` with the name of its next round, which is for whoever got this to make; None: it is somebody's.

    Whoever claims it again, once the lease is over, makes it under another name: the former can be told no more.
    """
    row, at = await _held(tx, late), await now(tx)
    is_somebodys = row is not None and row.lease_until is not None and row.lease_until > at
    if row is None or is_somebodys or not _late(row, keys, at=at).is_replied:
        return None
    row.next_id, row.lease_until = new_id("inv"), at + lease
    await tx.flush()
    return _late(row, keys, at=at)


async def follow(tx: Tx, handle: Handle, late: Late) -> bool:
    """Let the task go on with the round that was claimed, which is on record; return whether it does.

    It does not if the task has been called off meanwhile, or the round claimed by another.
    """
    row = await _held(tx, late, also_over=True)
    if row is None or late.next_id is None or row.next_id != late.next_id:
        return False
    mine = (TaskHandleRow.id == handle.id, TaskHandleRow.invocation_id == late.invocation_id)
    await tx.execute(update(TaskHandleRow).where(*mine).values(invocation_id=late.next_id))
    await tx.delete(row)
    await tx.flush()
    return True


async def is_whole(tx: Tx, late: Late) -> bool:
    """Return whether the round that was claimed is on record, with what it asks if it asks something."""
    if late.next_id is None:
        return False
    code = await tx.scalar(select(InvocationRow.error_code).where(InvocationRow.id == late.next_id).with_for_update())
    is_there = code is not None or await tx.scalar(select(InvocationRow.id).where(InvocationRow.id == late.next_id))
    return bool(is_there) and (code != INPUT_REQUIRED or await tx.get(LateQuestionsRow, late.next_id) is not None)


async def let_go(tx: Tx, late: Late) -> None:
    """Give the lease of the next round back: nothing of it is on record, and it can be made at once."""
    mine = (LateQuestionsRow.invocation_id == late.invocation_id, LateQuestionsRow.next_id == late.next_id)
    await tx.execute(update(LateQuestionsRow).where(*mine).values(lease_until=None))


async def end_round(tx: Tx, handle: Handle, late: Late, ended: Ended) -> bool:
    """End the task in the place of the round that was claimed; return whether that was still to be made."""
    row = await _held(tx, late)
    if row is None or row.next_id != late.next_id:
        return False
    await _end(tx, handle, row, ended)
    return True


async def call_off_late(tx: Tx, handle: Handle, late: Late, ended: Ended) -> bool:
    """End the task while it asks, or before its next round is on record; return False once it has gone on."""
    row = await _held(tx, late, also_over=True)
    if row is None:
        return False
    await _end(tx, handle, row, ended)
    return True


async def _end(tx: Tx, handle: Handle, row: LateQuestionsRow, ended: Ended) -> None:
    await tx.delete(row)
    await tx.flush()
    await end_handle(tx, handle, ended)


async def forget_questions(tx: Tx) -> None:
    """Delete what nobody has replied to in time."""
    await tx.execute(delete(LateQuestionsRow).where(LateQuestionsRow.until <= await now(tx)))


async def _held(tx: Tx, late: Late, *, also_over: bool = False) -> LateQuestionsRow | None:
    """Return the row, held until `tx` ends; after its invocation, as in every transaction."""
    await hold(tx, late.invocation_id)
    query = select(LateQuestionsRow).where(LateQuestionsRow.invocation_id == late.invocation_id).with_for_update()
    row = await tx.scalar(query.execution_options(populate_existing=True))
    return row if row is not None and (also_over or row.until > await now(tx)) else None


def _sealed(kept: Mapping[str, Json], invocation_id: str, keys: Keyring) -> bytes:
    return keys.encrypt(json.dumps(kept).encode(), context=_context(invocation_id))


def _opened(row: LateQuestionsRow, keys: Keyring) -> dict[str, Json]:
    opened: dict[str, Json] = json.loads(keys.decrypt(row.kept, context=_context(row.invocation_id)))
    return opened


def _late(row: LateQuestionsRow, keys: Keyring, *, at: datetime) -> Late:
    kept = _opened(row, keys)
    is_complete = kept["replies"].keys() >= kept["asks"]["requests"].keys()
    return Late(
        invocation_id=row.invocation_id,
        round=row.round,
        asks=Asks(**kept["asks"]),
        can=kept["can"],
        replies=kept["replies"],
        call=kept["call"],
        connection_id=row.connection_id,
        until=row.until,
        next_id=row.next_id,
        is_left=is_complete and (row.lease_until is None or row.lease_until <= at),
    )


def _context(invocation_id: str) -> str:
    return f"invocation:{invocation_id}:late-questions"
