"""The record of invocations: how one is read and held, and `move()`, the only place where a state changes.

**One lock order.** An invocation's own row is locked first, then whatever belongs to it: its question, stages, votes,
previews, attempts, findings, and the standing grant it spends from. `move()` takes that row by updating it; a
transaction that locks or changes anything else of an invocation before it moves it calls `hold()` at its beginning.
Two transactions that took the same two rows in different order would wait for each other until PostgreSQL ended one of
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import select, update

from connectors.sdk.vocabulary import Effect, Tier
from hub import approvals, dryrun, outbox
from hub.audit import Event, EventKind, append
from hub.budgets import give_back, leave_place
from hub.core.errors import Conflict, NotFound
from hub.invocations.runtime import Runtime
from hub.invocations.states import MOVES, State
from hub.invocations.tables import InvocationRow, NewRow
from hub.invocations.values import ApprovedBy, Claims, Invocation, Part
from hub.standing import return_unsent
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

WORK = "work"
"""The channel on which workers hear that there is something to do."""
INVOCATION_MOVED = "invocation.moved"
"""The outbox topic of what became of a question, and of doubts about what was sent."""
_TOLD = frozenset(
    {
        State.APPROVED,
        State.REJECTED,
        State.EXPIRED,
        State.CANCELLED,
        State.COMMITTED,
        State.FAILED,
        State.IN_DOUBT,
        State.NOT_APPLIED,
        State.DIVERGED,
        State.RESOLVED_BY_HUMAN,
        State.UNDONE,
        State.PARTIAL,
    }
)
_NOTHING_SENT = frozenset({State.APPROVED, State.COMMITTING})
_NEVER_HAPPENED = frozenset({State.STALE, State.EXPIRED, State.CANCELLED, State.FAILED, State.NOT_APPLIED})
_AT_WORK = frozenset({State.RECEIVED, State.PREVIEWING, State.COMMITTING, State.SENT, State.RESENDING})
"""Somebody is at work on it, and its system may be asked."""
_APPROVAL_VOID = frozenset({State.STALE, State.EXPIRED, State.CANCELLED})
_CLAIMS: Final = tuple(one.name for one in fields(Claims))
TEXTS: Final = {"reason": "why", "findings": "findings", "asked_for": "asked_for", "numbers": "numbers"}
"""Facts that quote systems of record, or sum what is in them: events keep them private, under these names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move: where to, which event says so, and what else is written with it."""

    to: State
    event: EventKind
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])
    private: Mapping[str, Json] = field(default_factory=dict[str, Json])
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    by: str | None = None


async def load(tx: Tx, invocation_id: str) -> Invocation:
    """Return how the invocation stands, with its newest preview and question.

    Raises:
        NotFound: there is none with this id.
    """
    query = select(InvocationRow).where(InvocationRow.id == invocation_id)
    row = await tx.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise NotFound("There is no such invocation.")
    if Effect(row.effect) is Effect.READ:
        return snapshot(row)
    preview = await dryrun.latest(tx, invocation_id)
    question = await approvals.latest(tx, invocation_id)
    counters = await approvals.counters_of(tx, invocation_id) if row.revision > 1 else ()
    standing = snapshot(row, preview=preview, question=question, counters=counters)
    if question is None or standing.state is not State.AWAITING_APPROVAL:
        return standing
    return replace(standing, lacking=await approvals.lacking(tx, question))


async def whole_of(tx: Tx, standing: Invocation) -> Invocation | None:
    """Return the call that `standing` takes back, or else the plan that it is a step of, None: it stands alone."""
    whole = standing.undoes or (standing.part.plan_id if standing.part else None)
    return None if whole is None else await load(tx, whole)


async def hold(tx: Tx, invocation_id: str) -> None:
    """Wait until no other transaction moves or holds the invocation, and hold it until `tx` ends."""
    await tx.execute(select(InvocationRow.id).where(InvocationRow.id == invocation_id).with_for_update())


async def move(tx: Tx, runtime: Runtime, standing: Invocation, step: Step) -> Invocation:
    """Make one move, with its audit event, in `tx`; return how the invocation stands then.

    It is made from exactly `standing`: same state, same revision, same fencing number. Whoever acts on something
    older (a worker that lost its lease, a second vote, a late answer) is refused and has changed nothing.

    Raises:
        Conflict: the invocation has moved on.
    """
    if step.to not in MOVES[standing.state]:
        raise AssertionError(f"no move leads from {standing.state} to {step.to}")
    where = (
        InvocationRow.id == standing.id,
        InvocationRow.state == standing.state.value,
        InvocationRow.revision == standing.revision,
        InvocationRow.fence == standing.fence,
    )
    event_id = await record_event(tx, runtime, standing, step)
    values = {**step.changes, "state": step.to.value, "last_event_id": event_id, "updated_at": await now(tx)}
    if step.to.is_terminal:
        values["sealed_arguments"] = values["sealed_before"] = None  # no connector will need the secrets again
    moved = await tx.scalar(update(InvocationRow).where(*where).values(values).returning(InvocationRow.id))
    if moved is None:
        raise Conflict("This invocation has moved on in the meantime.")
    if standing.question is not None and standing.question.is_open:
        await approvals.close_questions(tx, standing.id)
    await _let_others_have(tx, runtime, standing, step.to)
    if standing.part is not None and step.to.is_terminal:
        await _wake_plan(tx, standing.part.plan_id)
    await _tell(tx, standing, step, key=event_id)
    await announce(tx, runtime, standing.id)
    return await load(tx, standing.id)


async def _let_others_have(tx: Tx, runtime: Runtime, standing: Invocation, to: State) -> None:
    """Give back what the move to `to` leaves unused of grants, limits and places."""
    if standing.state in _NOTHING_SENT and to in _APPROVAL_VOID:
        await _return_spent(tx, runtime, standing)
    if to in _NEVER_HAPPENED:
        await give_back(tx, standing.id)
    if _rests(standing.state, to):
        await leave_place(tx, standing.id)


def _rests(was: State, to: State) -> bool:
    """Return whether a move ends the work on a call for now; what policy approves by itself is committed right away."""
    goes_on = to in _AT_WORK or (was is State.PREVIEWING and to is State.APPROVED)
    return not goes_on and (was in _AT_WORK or was is State.APPROVED)


async def _wake_plan(tx: Tx, plan_id: str) -> None:
    """Let a plan go on that waits for the call that has just ended."""
    await tx.execute(update(InvocationRow).where(InvocationRow.id == plan_id).values(not_before=None))


async def _tell(tx: Tx, standing: Invocation, step: Step, *, key: str) -> None:
    """Let those be told who follow questions and doubts; what nobody was asked and went well is not told."""
    is_doubt = State.IN_DOUBT in {standing.state, step.to}
    is_back = standing.state is State.COMMITTING  # a lost lease: it was approved before, and that was told
    if step.to not in _TOLD or is_back or not (is_doubt or standing.question is not None):
        return
    payload = {
        "invocation_id": standing.id,
        "state": step.to.value,
        "revision": standing.revision,
        "environment": standing.environment,
        "tool": standing.tool_name,
        "tool_version_digest": standing.tool_version_digest,
        "intent_digest": standing.intent_digest,
        "approval_digest": standing.question.digest if standing.question else standing.approval_digest,
    }
    await outbox.put(tx, topic=INVOCATION_MOVED, payload=payload, key=key)


async def _return_spent(tx: Tx, runtime: Runtime, standing: Invocation) -> None:
    """Give a standing grant back what an approval took of it, which was void before anything was sent."""
    if standing.approved_by is not ApprovedBy.GRANT or standing.approval_digest is None:
        return
    grant_id = await return_unsent(tx, standing.approval_digest)
    if grant_id is not None:
        facts = {"invocation": standing.id, "approval_digest": standing.approval_digest}
        await append(tx, Event(kind=EventKind.STANDING_RETURNED, subject=grant_id, facts=facts), runtime.keys)


async def put_off(tx: Tx, standing: Invocation, pause: timedelta) -> None:
    """Give up the lease and let nobody continue before `pause` is over; the state stays as it is."""
    where = (InvocationRow.id == standing.id, InvocationRow.fence == standing.fence)
    later = {"lease_until": None, "not_before": await now(tx) + pause}
    await tx.execute(update(InvocationRow).where(*where).values(later))


async def record_event(tx: Tx, runtime: Runtime, standing: Invocation, step: Step) -> str:
    """Append the audit event of `step`; return its id."""
    return await append(tx, event_of(standing, step), runtime.keys)


async def announce(tx: Tx, runtime: Runtime, invocation_id: str) -> None:
    """Wake whoever waits for this invocation, and the workers, once `tx` has committed."""
    await runtime.database.signal(tx, channel_of(invocation_id))
    await runtime.database.signal(tx, WORK)


def channel_of(invocation_id: str) -> str:
    """Return the channel on which the invocation's moves are announced."""
    return f"invocation:{invocation_id}"


def event_of(standing: Invocation, step: Step) -> Event:
    """Return the audit event that says `step` was made from `standing`."""
    facts = {
        "state": step.to.value,
        "from": standing.state.value,
        "revision": standing.revision,
        "server": standing.server,
        "environment": standing.environment,
        "tool": standing.tool_name,
        "connector": standing.connector,
        "tool_version_digest": standing.tool_version_digest,
        "connection_id": standing.connection_id,
        "connection_generation": standing.connection_generation,
        "effect": standing.effect.value,
        "tier": standing.tier.value,
        "agent_version": standing.agent_version,
        "intent_digest": standing.intent_digest,
        "policy_digest": standing.policy_digest,
        "fence": standing.fence,
    }
    if standing.undoes is not None:
        facts["undoes"] = standing.undoes
    if standing.part is not None:
        facts |= {"plan": standing.part.plan_id, "step": standing.part.step}
    texts = {TEXTS[name]: value for name, value in step.facts.items() if name in TEXTS and value}
    return Event(
        kind=step.event,
        subject=standing.id,
        actor=step.by,
        agent=standing.agent_id,
        on_behalf_of=standing.on_behalf_of_id,
        trace_id=standing.trace_id,
        run_id=standing.claims.run,
        facts=facts | {name: value for name, value in step.facts.items() if name not in TEXTS},
        private=texts | dict(step.private),
    )


def snapshot(
    row: InvocationRow | NewRow,
    *,
    preview: dryrun.PreviewRecord | None = None,
    question: approvals.Question | None = None,
    counters: tuple[approvals.Counter, ...] = (),
) -> Invocation:
    """Return the value that `row` stands for."""
    return Invocation(
        id=row.id,
        state=State(row.state),
        revision=row.revision,
        server=row.server,
        environment=row.environment,
        tool_name=row.tool_name,
        connector=row.connector,
        tool_id=row.tool_id,
        tool_version_id=row.tool_version_id,
        tool_version_digest=row.tool_version_digest,
        connection_id=row.connection_id,
        connection_generation=row.connection_generation,
        effect=Effect(row.effect),
        tier=Tier(row.tier),
        agent_id=row.agent_id,
        agent_version=row.agent_version,
        on_behalf_of_id=row.on_behalf_of_id,
        passed_on_by=tuple(row.passed_on_by or ()),
        issuer=row.issuer,
        resource=row.resource,
        leave_from=row.leave_from,
        arguments=row.arguments,
        sealed_arguments=row.sealed_arguments,
        sealed_before=row.sealed_before,
        claims=Claims(**row.claims),
        provenance=row.provenance,
        alarms=tuple(row.alarms or ()),
        trace_id=row.trace_id,
        intent_digest=row.intent_digest,
        approval_digest=row.approval_digest,
        approved_by=ApprovedBy(row.approved_by) if row.approved_by else None,
        policy_digest=row.policy_digest,
        fence=row.fence,
        sends=row.sends,
        output=row.output,
        sealed_output=row.sealed_output,
        error_code=row.error_code,
        error_message=row.error_message,
        rpc_code=row.rpc_code,
        findings=tuple(row.findings),
        expires_at=row.deadline,
        sent_at=row.sent_at,
        last_event_id=row.last_event_id,
        retry_at=row.not_before,
        created_at=row.created_at,
        updated_at=row.updated_at,
        erased_at=row.erased_at,
        preview=preview,
        question=question,
        part=Part(plan_id=row.part_of, step=row.step or 0) if row.part_of else None,
        stop_reason=row.stop_reason,
        undoes=row.undoes,
        undo_until=row.undo_until,
        conflict=tuple(row.conflict or ()),
        counters=counters,
    )


def claims_json(claims: Claims) -> dict[str, str]:
    """Return what the agent said of itself, without what it did not say."""
    return {name: value for name in _CLAIMS if (value := getattr(claims, name)) is not None}
