"""Carrying out an approved plan: one step after the other, and one undo after the other in reverse once it is stopped.

What is next is read from the record each time (`plan_progress.next_move`), so whoever takes over after a crash goes on
where the record stands. Every step, and every undo, is a call of its own that passes `invoke()`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import update

from hub.audit import EventKind
from hub.core.errors import Conflict, HubError, NotFound, Unavailable
from hub.identity.principals import Caller
from hub.invocations.aftermath import has_restored
from hub.invocations.braking import Stopped, refuse_stopped
from hub.invocations.callers import caller_of, ending
from hub.invocations.envelope import STEP_IN_DOUBT
from hub.invocations.invoke import invoke
from hub.invocations.journal import Step, announce, hold, load, move
from hub.invocations.plan_progress import (
    Await,
    Begin,
    Finish,
    Move,
    Stop,
    TakeBack,
    Turn,
    next_move,
    turns_of,
)
from hub.invocations.plan_stop import stop_plan
from hub.invocations.queries import call_off
from hub.invocations.runtime import Runtime
from hub.invocations.states import CANCELLABLE, State
from hub.invocations.tables import InvocationRow
from hub.invocations.under_plan import declared_arguments
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Call, Invocation, Part
from hub.invocations.verify import verify
from hub.registry import PublishedTool
from hub.registry.references import NothingThere
from hub.storage import now

Json = Any
"""Any JSON value."""

_SOON: Final = timedelta(seconds=1)
_LATER: Final = timedelta(seconds=30)
"""How long to wait for what people, limits or a system in doubt keep waiting; whatever ends wakes the plan at once."""
_AGAIN: Final = timedelta(seconds=5)


async def go_on(plan: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Take the plan, which this process has leased, on as far as it may go now; return how it stands then.

    Raises:
        Conflict: the lease is lost, and somebody else goes on.
    """
    while True:
        plan, turns = await _look(plan, runtime)
        run = _Run(plan=plan, turns=turns, tool=tool, runtime=runtime)
        ended = await run.act(next_move(turns, is_stopped=plan.stop_reason is not None))
        if ended is not None:
            return ended


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One look at a plan, and what is done on it."""

    plan: Invocation
    turns: Sequence[Turn]
    tool: PublishedTool
    runtime: Runtime

    async def act(self, what: Move) -> Invocation | None:
        """Do what comes next; return how the plan stands if nothing more can be done for now."""
        plan, runtime = self.plan, self.runtime
        match what:
            case Begin(turn=turn):
                return await self._begin(turn)
            case Stop(reason=reason):
                await stop(plan.id, reason, runtime)
                return None
            case TakeBack(turn=turn, call=call):
                return await self._take_back(turn, call)
            case Await(call=call):
                is_called_off = plan.stop_reason is not None and await _called_off(plan, call, runtime)
                return None if is_called_off else await _wait_for(plan, what, runtime)
            case Finish():
                return await _finish(self)

    async def _begin(self, turn: Turn) -> Invocation | None:
        try:
            await _begin(self.plan, turn, self.runtime)
        except (Stopped, Unavailable) as later:
            return await _held_back(self.plan, later, self.runtime)
        return None

    async def _take_back(self, turn: Turn, call: Invocation) -> Invocation | None:
        try:
            await _take_back(self.plan, turn, call, self.runtime)
        except (Stopped, Unavailable) as later:
            return await _held_back(self.plan, later, self.runtime)
        except HubError as refusal:
            return await _finish(self, why_not=refusal.message)
        return None


async def _look(plan: Invocation, runtime: Runtime) -> tuple[Invocation, list[Turn]]:
    """Renew the lease, and return how the plan and its steps stand.

    Raises:
        Conflict: the lease is lost.
    """
    async with runtime.database.transaction() as tx:
        renewed = {"lease_until": await now(tx) + timedelta(seconds=runtime.lease_seconds), "error_code": None}
        mine = await tx.scalar(_mine(plan).values(renewed | {"error_message": None}).returning(InvocationRow.id))
        if mine is None:
            raise Conflict("Somebody else carries this plan out.")
        standing = await load(tx, plan.id)
        return standing, await turns_of(tx, standing)


def _mine(plan: Invocation) -> Any:  # noqa: ANN401  # SQLAlchemy's own type of a statement
    row = InvocationRow
    return update(row).where(row.id == plan.id, row.fence == plan.fence, row.state == State.SENT.value)


async def _begin(plan: Invocation, turn: Turn, runtime: Runtime) -> None:
    """Call the next step, or stop the plan if it cannot be called.

    Raises:
        Stopped: a kill switch is on.
        Unavailable: it cannot be called just now.
    """
    number, name = turn.planned.number, turn.planned.name
    async with runtime.database.reading() as tx:
        is_over = plan.expires_at is None or plan.expires_at <= await now(tx)
    if is_over:
        await stop(plan.id, f"the approval ran out before step {number}, {name}, could be carried out", runtime)
        return
    async with runtime.database.reading() as tx:
        await refuse_stopped(tx, plan)
        await refuse_stopped(tx, plan, tool_id=turn.planned.tool_id, connection_id=turn.planned.connection_id)
    try:
        await invoke(await _call_of(plan, turn, runtime), runtime)
    except Unavailable:
        raise
    except (HubError, NothingThere) as error:
        await stop(plan.id, f"step {number}, {name}, could not be called: {error}", runtime)


async def _call_of(plan: Invocation, turn: Turn, runtime: Runtime) -> Call:
    planned = turn.planned
    async with runtime.database.reading() as tx:
        caller = await caller_of(tx, plan)
        arguments = await declared_arguments(tx, plan, planned.number, runtime)
    tool = await runtime.catalog.resolve(planned.tool, server=plan.server, caller=caller)
    return Call(
        caller=replace(caller, scopes=frozenset(tool.needed_scopes())),  # the token had them when the plan was proposed
        server=plan.server,
        tool=planned.tool,
        arguments=arguments,
        trace_id=plan.trace_id,
        claims=plan.claims,
        part=Part(plan_id=plan.id, step=planned.number),
    )


async def _take_back(plan: Invocation, turn: Turn, done: Invocation, runtime: Runtime) -> None:
    """Call the undo of a step.

    Raises:
        HubError: there can be none.
        Stopped: a kill switch is on.
        Unavailable: not just now.
    """
    async with runtime.database.reading() as tx:
        await refuse_stopped(tx, plan)
        caller = ending(await caller_of(tx, plan), plan.server)
    wanted = Undo(
        caller=await _with_undo_scopes(plan, turn, caller, runtime),
        invocation_id=done.id,
        reason=plan.stop_reason or "its plan was stopped",
        trace_id=plan.trace_id,
        part=Part(plan_id=plan.id, step=turn.planned.number),
    )
    await undo(wanted, runtime)


async def _with_undo_scopes(plan: Invocation, turn: Turn, caller: Caller, runtime: Runtime) -> Caller:
    """Return the caller with the scope of the tool that takes a step back: the plan was approved with that."""
    where, server = turn.planned.connection_id, plan.server
    if not turn.planned.undone_by:
        return caller
    try:
        name = await runtime.catalog.published_name(turn.planned.undone_by, where, server=server, caller=caller)
        tool = await runtime.catalog.resolve(name, server=server, caller=caller)
    except NotFound:
        return caller
    async with runtime.database.reading() as tx:
        await refuse_stopped(tx, plan, tool_id=tool.tool.id, connection_id=where)
    return replace(caller, scopes=frozenset(tool.needed_scopes()))


async def stop(plan_id: str, reason: str, runtime: Runtime) -> None:
    """Let the plan go no further, and what it has done be taken back."""
    async with runtime.database.transaction() as tx:
        await stop_plan(tx, plan_id, reason, runtime)


async def _called_off(plan: Invocation, call: Invocation, runtime: Runtime) -> bool:
    """Cancel a step of a stopped plan that has not been claimed yet; return whether it was cancelled."""
    if call.undoes is not None or call.state not in CANCELLABLE:
        return False
    try:
        await call_off(runtime, call, reason=plan.stop_reason or "its plan was stopped", by=None)
    except Conflict:
        return False
    return True


async def _held_back(plan: Invocation, why: Stopped | Unavailable, runtime: Runtime) -> Invocation:
    return await _pause(plan, _AGAIN, runtime, told={"error_code": why.code, "error_message": why.message})


async def _wait_for(plan: Invocation, what: Await, runtime: Runtime) -> Invocation:
    call = what.call
    slow = {State.IN_DOUBT, State.AWAITING_APPROVAL}
    is_held_back = call.state is State.APPROVED and call.error_code is not None
    pause = _LATER if call.state in slow or is_held_back else _SOON
    told: dict[str, Json] = {"error_code": None, "error_message": None}
    if call.state is State.IN_DOUBT:
        told = {"error_code": STEP_IN_DOUBT, "error_message": f"{what.what} was sent, and its answer was lost."}
    elif is_held_back:
        told = {"error_code": call.error_code, "error_message": call.error_message}
    return await _pause(plan, pause, runtime, call=call, told=told)


async def _pause(
    plan: Invocation,
    pause: timedelta,
    runtime: Runtime,
    *,
    call: Invocation | None = None,
    told: Mapping[str, Json] | None = None,
) -> Invocation:
    """Give up the lease, and let nobody go on before `pause` is over or the call that is waited for has ended."""
    async with runtime.database.transaction() as tx:
        await hold(tx, plan.id)
        has_ended = call is not None and (await load(tx, call.id)).state.is_terminal
        later = {"lease_until": None, "not_before": None if has_ended else await now(tx) + pause}
        await tx.execute(_mine(plan).values({**later, **(told or {})}))
        await announce(tx, runtime, plan.id)
        return await load(tx, plan.id)


async def _finish(run: _Run, *, why_not: str = "") -> Invocation | None:
    """Record what the plan came to; None: it was called off in this very moment, and something else comes next."""
    plan, runtime = run.plan, run.runtime
    async with runtime.database.transaction() as tx:
        await hold(tx, plan.id)
        if (await load(tx, plan.id)).stop_reason != plan.stop_reason:
            return None
        step = _committed(run.turns) if plan.stop_reason is None else _stopped(plan, run.turns, why_not)
        ended = await move(tx, runtime, plan, step)
    return await verify(ended, run.tool, runtime) if ended.state is State.COMMITTED else ended


def _committed(turns: Sequence[Turn]) -> Step:
    output = {turn.planned.name: turn.call.output for turn in turns if turn.call is not None}
    changes = {"output": output, "error_code": None, "error_message": None}
    facts = {"steps": [turn.call.id for turn in turns if turn.call is not None]}
    return Step(to=State.COMMITTED, event=EventKind.COMMIT_COMMITTED, facts=facts, changes=changes)


def _stopped(plan: Invocation, turns: Sequence[Turn], why_not: str) -> Step:
    """Return the move that says what a stopped plan has left: nothing at all, nothing any more, or a part."""
    stands = [turn for turn in turns if turn.stands]
    was_done = [turn for turn in turns if turn.is_done]
    to = State.PARTIAL if stands else State.UNDONE if was_done else State.FAILED
    kinds = {State.PARTIAL: EventKind.PLAN_PARTIAL, State.UNDONE: EventKind.PLAN_UNDONE}
    return Step(
        to=to,
        event=kinds.get(to, EventKind.COMMIT_FAILED),
        facts={
            "stands": [turn.call.id for turn in stands if turn.call],
            "taken_back": [turn.call.id for turn in was_done if turn.is_taken_back and turn.call],
        },
        private={"reason": plan.stop_reason},
        changes={
            "error_code": f"plan_{to.value.lower()}",
            "error_message": _sentence(plan, turns, why_not),
            "lease_until": None,
        },
    )


def _sentence(plan: Invocation, turns: Sequence[Turn], why_not: str) -> str:
    reason = plan.stop_reason or ""
    lines = [f"{reason[:1].upper()}{reason[1:].rstrip('.')}."]
    done = [turn for turn in reversed(turns) if turn.is_done]
    lines += [f"Step {turn.planned.number}, {turn.planned.name}, {_left(turn)}." for turn in done]
    if why_not:
        lines.append(why_not)
    return " ".join(lines)


def _left(turn: Turn) -> str:
    if turn.is_taken_back:
        return "was taken back"
    if turn.undo is None:
        return "stands"
    if has_restored(turn.undo):
        return "stands, because its undo was undone in turn"
    why = turn.undo.error_message or "its undo did not leave the records as they were before"
    return f"stands, because it could not be taken back ({why.rstrip('.')})"
