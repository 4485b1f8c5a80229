"""Counter-proposals: the arguments an approver wants instead, kept beside those that were asked for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from hub.approvals.tables import CounterRow
from hub.policy import Obligation, strictest
from hub.storage import Tx

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What made one revision: other arguments, by whom, and what had been asked of people until then."""

    revision: int
    author_id: str
    for_id: str | None
    """In whose place the author made it; None: in its own."""
    groups: frozenset[str]
    """For which groups the author could have voted: what the agent is told of the author."""
    reason: str
    before: Mapping[str, Json]
    after: Mapping[str, Json]
    """Both without secrets."""
    obligations: tuple[Obligation, ...]
    made_at: datetime


async def keep_counter(tx: Tx, invocation_id: str, counter: Counter) -> None:
    """Put the counter-proposal that makes a revision on record."""
    tx.add(
        CounterRow(
            invocation_id=invocation_id,
            revision=counter.revision,
            author_id=counter.author_id,
            for_id=counter.for_id,
            groups=sorted(counter.groups),
            reason=counter.reason,
            before=dict(counter.before),
            after=dict(counter.after),
            obligations=[one.as_json() for one in counter.obligations],
            made_at=counter.made_at,
        )
    )
    await tx.flush()


async def counters_of(tx: Tx, invocation_id: str) -> tuple[Counter, ...]:
    """Return the counter-proposals that were made about the invocation, oldest first."""
    query = select(CounterRow).where(CounterRow.invocation_id == invocation_id).order_by(CounterRow.revision)
    return tuple(_counter(row) for row in await tx.scalars(query))


def authors(counters: Iterable[Counter]) -> frozenset[str]:
    """Return who has proposed arguments, themselves or by a deputy: none of them approves what came of it."""
    return frozenset(one for counter in counters for one in (counter.author_id, counter.for_id) if one is not None)


def asked_already(counters: Iterable[Counter]) -> tuple[Obligation, ...]:
    """Return what people were asked for before: other arguments never make a question milder."""
    return strictest(one for counter in counters for one in counter.obligations)


def _counter(row: CounterRow) -> Counter:
    return Counter(
        revision=row.revision,
        author_id=row.author_id,
        for_id=row.for_id,
        groups=frozenset(row.groups),
        reason=row.reason,
        before=row.before,
        after=row.after,
        obligations=tuple(Obligation.from_json(one) for one in row.obligations),
        made_at=row.made_at,
    )
