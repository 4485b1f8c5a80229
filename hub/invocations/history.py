"""What happened before a call, as a bundle asks for it: counts and sums over indexed rows, up to one moment.

A write that is being committed counts as sent. Each commit is claimed before its last decision counts, so that of two
commits that meet at least one sees the other: together they never get past a limit that either would have kept.
Both may be stopped, and are then decided on anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, or_, select

from connectors.sdk.preview import Preview
from connectors.sdk.vocabulary import Effect, Tier
from hub.core.redaction import REDACTED
from hub.invocations.secrecy import recorded_arguments
from hub.invocations.states import DONE, State
from hub.invocations.tables import AmountRow, InvocationRow
from hub.invocations.values import Invocation
from hub.policy import PREVIEWED_MONEY, History, exposed_facts
from hub.registry import PublishedTool
from hub.registry.reading import tool_id_of
from hub.storage import Tx

Json = Any
"""Any JSON value."""

_SENT: Final = tuple(state.value for state in DONE | {State.SENT, State.RESENDING, State.IN_DOUBT})
_SETTLED: Final = (*_SENT, State.RESOLVED_BY_HUMAN.value, State.REJECTED.value)
_LARGEST: Final = 2**63 - 1
_MOST_READS: Final = 500
_MOST_IN_A_ROW: Final = 50


async def keep_amounts(
    tx: Tx, standing: Invocation, tool: PublishedTool, given: Mapping[str, Json], seen: Preview
) -> None:
    """Put on record what of this revision can be summed: the numbers its tool exposes, and the money it would move."""
    exposed = exposed_facts(tool.version.spec, recorded_arguments(tool, given)).values
    rows = [
        {"invocation_id": standing.id, "name": name, "amount": value, "currency": ""}
        for name, value in exposed.items()
        if type(value) is int  # a bool is an int to Python
    ]
    if seen.blast.money_minor is not None:
        money = {"name": PREVIEWED_MONEY, "amount": seen.blast.money_minor, "currency": seen.blast.currency or ""}
        rows.append({"invocation_id": standing.id, **money})
    await tx.execute(delete(AmountRow).where(AmountRow.invocation_id == standing.id))
    if rows:
        await tx.execute(insert(AmountRow), rows)


async def history_of(tx: Tx, standing: Invocation, declared: Iterable[History], at: datetime) -> dict[str, int]:
    """Return what happened before `standing`, up to `at`, by the names that are declared.

    What cannot be counted is left out: what a run has done, of a call that names no run.
    """
    found: dict[str, int] = {}
    for history in declared:
        if "run" in history.per and standing.claims.run is None:
            continue
        found[history.fact] = min(await _counted(tx, standing, history, at), _LARGEST)
    return found


async def _counted(tx: Tx, standing: Invocation, history: History, at: datetime) -> int:
    since = at - timedelta(seconds=history.seconds)
    alike = [*_alike(standing, history), *await _of(tx, history), *_from(history)]
    if history.count == "read":
        return await _reads(tx, standing, history, [*alike, *_between(InvocationRow.created_at, since, at)])
    if history.count == "rejected_in_a_row":
        return await _in_a_row(tx, [*alike, *_between(InvocationRow.created_at, since, at)])
    if history.count == "made":
        made = [InvocationRow.id != standing.id, *_between(InvocationRow.created_at, since, at)]
        return await tx.scalar(select(func.count()).select_from(InvocationRow).where(*alike, *made)) or 0
    under_way = InvocationRow.state == State.COMMITTING.value
    sent = and_(may_have_happened(), *_between(InvocationRow.sent_at, since, at))
    alike += [InvocationRow.id != standing.id, or_(under_way, sent)]
    if history.amount is None:
        return await tx.scalar(select(func.count()).select_from(InvocationRow).where(*alike)) or 0
    return int(await tx.scalar(_amount(standing, history, history.amount).where(*alike)) or 0)


def may_have_happened() -> ColumnElement[bool]:
    """Return the condition under which a write counts as sent: it was, and nobody found that it did not arrive."""
    found_so = and_(InvocationRow.state == State.RESOLVED_BY_HUMAN.value, InvocationRow.error_code.is_(None))
    return or_(InvocationRow.state.in_(_SENT), found_so)


def _amount(standing: Invocation, history: History, name: str) -> Select[int]:
    """Return the sum or the largest of one amount; below zero it would make room for more, and counts as nothing."""
    taken = func.sum(AmountRow.amount) if history.sum else func.max(AmountRow.amount)
    query = select(taken).join(InvocationRow, InvocationRow.id == AmountRow.invocation_id)
    query = query.where(AmountRow.name == name, AmountRow.amount > 0)
    if name != PREVIEWED_MONEY or standing.preview is None:
        return query
    return query.where(AmountRow.currency == (standing.preview.preview.blast.currency or ""))


def _alike(standing: Invocation, history: History) -> list[ColumnElement[bool]]:
    of_agent = InvocationRow.agent_id == standing.agent_id
    alike = {
        "agent": of_agent,
        "user": InvocationRow.on_behalf_of_id == standing.on_behalf_of_id
        if standing.on_behalf_of_id
        else and_(of_agent, InvocationRow.on_behalf_of_id.is_(None)),
        "run": and_(of_agent, InvocationRow.run_id == standing.claims.run),
        "tool": InvocationRow.tool_id == standing.tool_id,
        "connection": InvocationRow.connection_id == standing.connection_id,
    }
    return [InvocationRow.environment == standing.environment, *(alike[name] for name in history.per)]


def _from(history: History) -> list[ColumnElement[bool]]:
    lowest = history.from_tier
    if lowest is None:
        return []
    return [InvocationRow.tier.in_([tier.value for tier in Tier if tier.rank >= lowest.rank])]


async def _of(tx: Tx, history: History) -> Sequence[ColumnElement[bool]]:
    if history.of is None:
        return ()
    connector, _, name = history.of.partition(".")
    if not name:
        return (InvocationRow.connector == connector,)
    return (InvocationRow.tool_id == (await tool_id_of(tx, connector, name) or ""),)


def _between(column: Any, since: datetime, at: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:  # noqa: ANN401  # a mapped column, with or without None
    return column > since, column <= at


async def _reads(tx: Tx, standing: Invocation, history: History, where: Sequence[ColumnElement[bool]]) -> int:
    query = select(InvocationRow.arguments).where(
        *where, InvocationRow.effect == Effect.READ.value, InvocationRow.state == State.SUCCEEDED.value
    )
    earlier = await tx.scalars(query.order_by(InvocationRow.id.desc()).limit(_MOST_READS))
    return sum(1 for arguments in earlier if _is_same(arguments, standing.arguments, history.same))


def _is_same(earlier: Mapping[str, Json], this: Mapping[str, Json], same: Mapping[str, str]) -> bool:
    """Return whether each pair has one value; a secret is like nothing, since two markers may stand for two secrets."""
    pairs = [(earlier.get(theirs), this.get(ours)) for theirs, ours in same.items()]
    return all(
        one is not None and type(one) is type(other) and one == other and one != REDACTED for one, other in pairs
    )


async def _in_a_row(tx: Tx, where: Sequence[ColumnElement[bool]]) -> int:
    """Return how many of the writes that came to something were rejected, one after another, up to the last one."""
    query = select(InvocationRow.state).where(*where, InvocationRow.state.in_(_SETTLED))
    found = (await tx.scalars(query.order_by(InvocationRow.id.desc()).limit(_MOST_IN_A_ROW))).all()
    others = (place for place, state in enumerate(found) if state != State.REJECTED.value)
    return next(others, len(found))
