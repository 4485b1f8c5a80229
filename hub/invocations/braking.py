"""What limits, switches and outages say to one call: asked before it begins, and again when it is claimed.

Where a limit says how many calls there may be at the same time, a read has a place while its system is asked, and a
write while it is previewed and while it is committed, never while people think about it.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select

from connectors.sdk.vocabulary import Effect
from hub import budgets
from hub.audit import Event, EventKind, append
from hub.budgets import Demand, Holder, Limit, Measure, OutOfReach, OverBudget, Per, RunOver, Stop
from hub.core.errors import HubError
from hub.invocations.plan_steps import is_plan, planned_steps
from hub.invocations.request import Request
from hub.invocations.runtime import Runtime
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import PublishedTool, read_current, steps_of
from hub.storage import Tx

PLACE_GRACE: Final = 30
"""How many seconds longer than the slowest answer a place lasts that nobody gives up."""


class Stopped(HubError):
    """A kill switch is on; nothing was begun."""

    code = "stopped"

    def __init__(self, stops: Iterable[Stop]) -> None:
        super().__init__(" ".join(one.words for one in stops))


Braked = OverBudget | RunOver | OutOfReach | Stopped
"""What may stand against a call."""


async def admit(request: Request, runtime: Runtime) -> Braked | None:
    """Take what a call takes by being made, and return what stands against it, if anything does.

    A write takes the rest when it is claimed; here it is only checked that enough of it is left.
    """
    tool, caller = request.tool, request.call.caller
    stops = await runtime.brakes.stops(agent_id=caller.actor.id, tool_id=tool.tool.id, connection_id=tool.connection.id)
    if stops:
        return Stopped(stops)
    if away := await out_of_reach(tool, runtime):
        return away
    limits = await runtime.brakes.limits()
    if not limits:
        return None
    subjects = _subjects(
        agent=caller.actor.id,
        user=caller.on_behalf_of.id if caller.on_behalf_of else None,
        tool=tool.tool.id,
        server=tool.server,
        run=request.call.claims.run,
    )
    return await _admitted(limits, subjects, request, runtime)


async def out_of_reach(tool: PublishedTool, runtime: Runtime) -> OutOfReach | None:
    """Return why nothing is asked with a tool now: its system, or that of a step, is known not to answer."""
    for connection_id in (tool.connection.id, *(one.connection_id for one in steps_of(tool.operation))):
        outage = await runtime.brakes.outage(connection_id)
        if outage is not None and outage.unavailable_since is not None:
            return OutOfReach(outage)
    return None


async def brake(tx: Tx, claimed: Invocation, runtime: Runtime) -> None:
    """Take what a claimed write takes, once however often it is claimed; whoever is refused must undo `tx`.

    Raises:
        OverBudget: too little is left of a limit.
        OutOfReach: its connection is unavailable.
        Stopped: a kill switch is on.
    """
    await refuse_stopped(tx, claimed)
    if is_plan(claimed):
        for step in planned_steps(claimed):
            await refuse_stopped(tx, claimed, tool_id=step.tool_id, connection_id=step.connection_id)
        await budgets.leave_place(tx, claimed.id)
        return  # each of its steps takes its own
    await budgets.refuse_unavailable(tx, claimed.connection_id)
    limits = await budgets.limits_now(tx)
    if limits:
        name, server = claimed.tool_name, claimed.server
        tool = await read_current(tx, claimed.tool_version_id, claimed.connection_id, server=server, name=name)
        demand = _of_commit(claimed, tool)
        await budgets.take(tx, limits, demand, invocation_id=claimed.id)
        await budgets.take_place(tx, limits, demand, _holder(claimed.id, tool, runtime))


async def leave(invocation_id: str, runtime: Runtime) -> None:
    """Give up the places of a call that is no longer under way, if any limit says how many there may be."""
    if any(one.measure is Measure.AT_ONCE for one in await runtime.brakes.limits()):
        async with runtime.database.transaction() as tx:
            await budgets.leave_place(tx, invocation_id)


async def refuse_stopped(
    tx: Tx, standing: Invocation, *, tool_id: str | None = None, connection_id: str | None = None
) -> None:
    """Let a write pass for which no switch is on, as the database says; or a step of it, by another tool.

    A step of a plan, and an undo of one, is held back by the switch of its plan's tool, too.

    Raises:
        Stopped: one is.
    """
    used = [(tool_id or standing.tool_id, connection_id or standing.connection_id), *await _of_its_plan(tx, standing)]
    if stops := await _stops(tx, standing, used):
        raise Stopped(stops)


async def stops_on(tx: Tx, standing: Invocation) -> tuple[Stop, ...]:
    """Return the switches that hold a write back, those of the steps of a plan and of the plan of a step included."""
    steps = planned_steps(standing) if is_plan(standing) else ()
    used = [(standing.tool_id, standing.connection_id), *((one.tool_id, one.connection_id) for one in steps)]
    return await _stops(tx, standing, [*used, *await _of_its_plan(tx, standing)])


async def _of_its_plan(tx: Tx, standing: Invocation) -> list[tuple[str, str]]:
    if standing.part is None:
        return []
    plan = select(InvocationRow.tool_id, InvocationRow.connection_id)
    (row,) = (await tx.execute(plan.where(InvocationRow.id == standing.part.plan_id))).all()
    return [(row.tool_id, row.connection_id)]


async def _stops(tx: Tx, standing: Invocation, used: Iterable[tuple[str, str]]) -> tuple[Stop, ...]:
    """Return the switches that are on for tools and connections as the agent uses them, each once."""
    found: dict[Stop, None] = {}
    for tool, connection in used:
        stops = await budgets.stops_for(tx, agent_id=standing.agent_id, tool_id=tool, connection_id=connection)
        found |= dict.fromkeys(stops)
    return tuple(found)


async def record_braked(tx: Tx, standing: Invocation, why: OverBudget | OutOfReach | Stopped, runtime: Runtime) -> None:
    """Append the event that says what held an approved write back."""
    facts = {"code": why.code}
    if isinstance(why, OverBudget):
        facts |= {"limit": why.limit.id}
    if not isinstance(why, Stopped):
        facts |= {"frees_at": why.frees_at.isoformat()}
    event = Event(
        kind=EventKind.COMMIT_BRAKED,
        subject=standing.id,
        agent=standing.agent_id,
        on_behalf_of=standing.on_behalf_of_id,
        trace_id=standing.trace_id,
        run_id=standing.claims.run,
        facts=facts,
        private={"why": why.message},
    )
    await append(tx, event, runtime.keys)


async def _admitted(
    limits: tuple[Limit, ...], subjects: dict[Per, str], request: Request, runtime: Runtime
) -> OverBudget | RunOver | None:
    tool = request.tool
    is_read = tool.effect is Effect.READ
    now_taken = {(one, ""): 1 for one in (Measure.CALLS, Measure.AT_ONCE, Measure.TIME)}
    now_taken |= _cost(tool) if is_read else {}
    later = {} if is_read else {(Measure.WRITES, ""): 1} | _cost(tool)
    try:
        async with runtime.database.transaction() as tx:
            await budgets.check(tx, limits, Demand(subjects=subjects, amounts=later))
            demand = Demand(subjects=subjects, amounts=now_taken)
            await budgets.keep_to_time(tx, limits, demand)
            await budgets.take(tx, limits, demand)
            await budgets.take_place(tx, limits, demand, _holder(request.invocation_id, tool, runtime))
    except (OverBudget, RunOver) as over:
        return over
    return None


def _holder(invocation_id: str, tool: PublishedTool, runtime: Runtime) -> Holder:
    """Return who takes a place: for as long as a preview or a commit may be leased, and its answer may take."""
    seconds = 0 if tool.effect is Effect.READ else runtime.lease_seconds
    return Holder(id=invocation_id, seconds=seconds + tool.version.spec.timeout_seconds + PLACE_GRACE)


def _of_commit(standing: Invocation, tool: PublishedTool) -> Demand:
    subjects = _subjects(
        agent=standing.agent_id,
        user=standing.on_behalf_of_id,
        tool=standing.tool_id,
        server=standing.server,
        run=standing.claims.run,
    )
    amounts = {(Measure.WRITES, ""): 1, (Measure.AT_ONCE, ""): 1} | _cost(tool)
    blast = standing.preview.preview.blast if standing.preview else None
    if blast is not None and blast.money_minor:
        amounts |= {(Measure.MONEY, blast.currency or ""): blast.money_minor}
    return Demand(subjects=subjects, amounts=amounts)


def _cost(tool: PublishedTool) -> dict[tuple[Measure, str], int]:
    cost = tool.operation.cost
    return {} if cost is None else {(Measure.COST, cost.unit): cost.amount}


def _subjects(*, agent: str, user: str | None, tool: str, server: str, run: str | None) -> dict[Per, str]:
    """Return whose limits a call counts against; a run is one of its agent, whatever others call theirs."""
    subjects = {Per.AGENT: agent, Per.TOOL: tool, Per.SERVER: server}
    if user is not None:
        subjects[Per.USER] = user
    if run is not None:
        subjects[Per.RUN] = f"{agent}:{run}"[:160]
    return subjects
