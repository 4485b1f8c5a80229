"""What policy says of a plan: of each step by itself. One that is forbidden forbids it; what any step asks is asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.audit import Event, EventKind, append
from hub.invocations.decisions import basis, decide_on, decide_on_proposal, decide_on_sending, on_record
from hub.invocations.plan_steps import Alone, is_plan, steps_alone
from hub.invocations.runtime import Runtime
from hub.invocations.under_plan import covers
from hub.invocations.values import Invocation
from hub.policy import Action, Decision, Denied, Obligation, Obliged, strictest
from hub.registry import read_current


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSteps:
    """What the decisions on all steps come to: the first that denies, or else everything that any of them asks."""

    denied: Denied | None = None
    obligations: tuple[Obligation, ...] = ()
    decided: tuple[Decision, ...] = ()
    """All of them; their alarms are to be heeded."""


async def ask_of_steps(standing: Invocation, runtime: Runtime) -> OfSteps:
    """Return what policy says of letting each step of a plan go, and put it on record, step by step."""
    if not is_plan(standing):
        return OfSteps()
    async with runtime.database.reading() as tx:
        steps = await steps_alone(tx, standing)
    decided = [(step, await _decide(step, runtime)) for step in steps]
    await _record(standing, decided, runtime)
    return _together([decision for _, decision in decided])


async def steps_ask_now(standing: Invocation, runtime: Runtime) -> OfSteps:
    """Return what policy says now of each step of a plan that is about to begin."""
    if not is_plan(standing):
        return OfSteps()
    async with runtime.database.reading() as tx:
        steps = await steps_alone(tx, standing)
    decided = [await _decide(step, runtime) for step in steps]
    decided += [await decide_on(Action.COMMIT, step.call, step.tool, runtime) for step in steps]
    return _together(decided)


async def of_plan_now(plan: Invocation, runtime: Runtime) -> list[str]:
    """Return why policy, if it was changed since a plan was approved, stops it midway; nothing if it goes on.

    Its steps are decided on by themselves, each in its turn; this is about the plan and its own tool.
    """
    async with runtime.database.reading() as tx:
        bundle = await runtime.bundles.fresh(tx, plan.environment)
        name, server = plan.tool_name, plan.server
        tool = await read_current(tx, plan.tool_version_id, plan.connection_id, server=server, name=name)
    if bundle.digest == plan.policy_digest:
        return []
    decided = await decide_on_sending(plan, tool, runtime)
    if any(isinstance(one, Denied) for one in decided):
        return ["policy no longer allows its plan"]
    is_covered = all(covers(plan, one) for one in decided if isinstance(one, Obliged))
    return [] if is_covered else ["policy now asks for more approvals of its plan"]


async def _decide(step: Alone, runtime: Runtime) -> Decision:
    async with runtime.database.reading() as tx:
        proposed = await decide_on_proposal(tx, step.call, step.tool, step.planned.known, runtime)
    if isinstance(proposed, Denied):
        return proposed
    return await decide_on(Action.AUTOCOMMIT, step.call, step.tool, runtime)


async def _record(standing: Invocation, decided: Sequence[tuple[Alone, Decision]], runtime: Runtime) -> None:
    async with runtime.database.transaction() as tx:
        for step, decision in decided:
            facts = {
                **on_record(decision),
                "step": step.planned.number,
                "tool": step.planned.tool,
                "environment": standing.environment,
                "intent_digest": step.planned.intent_digest,
            }
            event = Event(
                kind=EventKind.PLAN_STEP_DECIDED,
                subject=standing.id,
                agent=standing.agent_id,
                on_behalf_of=standing.on_behalf_of_id,
                trace_id=standing.trace_id,
                run_id=standing.claims.run,
                facts=facts,
                private=basis(decision),
            )
            await append(tx, event, runtime.keys)


def _together(decided: Sequence[Decision]) -> OfSteps:
    denied = next((decision for decision in decided if isinstance(decision, Denied)), None)
    asked = [one for decision in decided if isinstance(decision, Obliged) for one in decision.obligations]
    return OfSteps(denied=denied, obligations=strictest(asked), decided=tuple(decided))
