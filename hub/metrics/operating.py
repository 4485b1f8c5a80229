"""The numbers that operators watch: how calls stand, what waits and for how long, which workers are at work.

Counts and ages by states alone. No name, no id of a person, an agent or a tool, and nothing of what was called is among
them: whoever collects numbers need not be allowed to see any of that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from hub.audit.tables import CheckpointRow, EventRow
from hub.budgets import outages_now, stops_now
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.metrics.heartbeats import BEAT_SECONDS, ages
from hub.outbox.messages import MessageState
from hub.outbox.tables import MessageRow
from hub.storage import Tx, now

RECENT: Final = timedelta(minutes=5)
"""Of which calls it is told how they stand, whatever has become of them: no scrape reads more than this."""
AT_WORK: Final = timedelta(seconds=4 * BEAT_SECONDS)
"""A worker that was not heard of for longer is not at work."""
UNDER_WAY: Final = tuple(state for state in State if not state.is_terminal)
_LEFT: Final = (MessageState.WAITING, MessageState.GIVEN_UP)

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One number at this moment, or one for each value of its labels; of a counter, what it has come to."""

    name: str
    says: str
    labels: Labels = ()
    values: Sequence[tuple[Labels, float]]
    is_counter: bool = False


async def readings(tx: Tx) -> list[Reading]:
    """Return every number that is the same for all processes of this hub."""
    at = await now(tx)
    return [
        *await _of_calls(tx, at),
        *await _of_messages(tx, at),
        *await _of_the_log(tx, at),
        *await _of_workers(tx),
        _one("connections_unavailable", "Connections of which no call is made just now.", await _outages(tx)),
        _one("stops", "Kill switches that are on.", len(await stops_now(tx))),
    ]


async def _of_calls(tx: Tx, at: datetime) -> Iterable[Reading]:
    row, many = InvocationRow, func.count()
    recent = select(row.effect, row.state, many).where(row.created_at > at - RECENT).group_by(row.effect, row.state)
    of_recent = [((effect, state), float(n)) for effect, state, n in await tx.execute(recent)]
    waiting = (
        select(row.state, many, func.min(row.updated_at))
        .where(row.state.in_([state.value for state in UNDER_WAY]))
        .group_by(row.state)
    )
    found = {state: (n, since) for state, n, since in await tx.execute(waiting)}
    counts = [((state.value,), float(found[state][0] if state in found else 0)) for state in UNDER_WAY]
    oldest = [((state,), _seconds(at - since)) for state, (_, since) in sorted(found.items())]
    by_state = ("state",)
    return [
        _many("invocations_recent", "Calls of the last five minutes.", ("effect", "state"), sorted(of_recent)),
        _many("invocations_waiting", "Calls that have not come to an end, by how they stand.", by_state, counts),
        _many("invocations_waiting_seconds", "How long one has stood so, at the longest.", by_state, oldest),
    ]


async def _of_messages(tx: Tx, at: datetime) -> Iterable[Reading]:
    row = MessageRow
    query = (
        select(row.state, func.count(), func.min(row.due_at))
        .where(row.state.in_([state.value for state in _LEFT]))
        .group_by(row.state)
    )
    found = {state: (n, due) for state, n, due in await tx.execute(query)}
    counts = [((state.value,), float(found[state][0] if state in found else 0)) for state in _LEFT]
    due = found[MessageState.WAITING][1] if MessageState.WAITING in found else at
    return [
        _many("messages", "Messages that wait to be delivered, or were given up.", ("state",), counts),
        _one("messages_overdue_seconds", "For how long the oldest has been due.", _seconds(at - due)),
    ]


async def _of_the_log(tx: Tx, at: datetime) -> Iterable[Reading]:
    unnumbered = await tx.scalar(select(func.count()).select_from(EventRow).where(EventRow.position.is_(None)))
    query = select(CheckpointRow.size, CheckpointRow.made_at).order_by(CheckpointRow.size.desc()).limit(1)
    newest = (await tx.execute(query)).one_or_none()
    size, made_at = (0, at) if newest is None else newest
    return [
        Reading(
            name="audit_events",
            says="Events of the log under a signed checkpoint.",
            values=[((), float(size))],
            is_counter=True,
        ),
        _one("audit_events_unsequenced", "Events that have no number in the log yet.", unnumbered or 0),
        _one("audit_checkpoint_seconds", "How old the newest checkpoint is.", _seconds(at - made_at)),
    ]


async def _of_workers(tx: Tx) -> Iterable[Reading]:
    heard = await ages(tx)
    beats = [((worker_id,), _seconds(age)) for worker_id, age in heard.items()]
    return [
        _one("workers", "Workers that are at work.", sum(age <= AT_WORK for age in heard.values())),
        _many("worker_heartbeat_seconds", "How long ago a worker was last heard of.", ("worker",), beats),
    ]


async def _outages(tx: Tx) -> int:
    return sum(one.unavailable_since is not None for one in await outages_now(tx))


def _one(name: str, says: str, value: float) -> Reading:
    return Reading(name=name, says=says, values=[((), float(value))])


def _many(name: str, says: str, labels: Labels, values: Sequence[tuple[Labels, float]]) -> Reading:
    return Reading(name=name, says=says, labels=labels, values=values)


def _seconds(age: timedelta) -> float:
    return max(0.0, age.total_seconds())
