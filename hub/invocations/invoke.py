"""One call, from request to outcome: `invoke()`. The order of its steps is the product."""

from contextlib import suppress

from connectors.sdk.rules import broken_rules
from connectors.sdk.vocabulary import Effect
from hub.core.errors import Conflict
from hub.invocations.alarming import heed
from hub.invocations.approve import approve_by_policy, ask
from hub.invocations.braking import leave
from hub.invocations.calling_off import heeding
from hub.invocations.commit import commit
from hub.invocations.decisions import decide_on
from hub.invocations.entering import enter
from hub.invocations.plan_policy import ask_of_steps
from hub.invocations.preview import dry_run
from hub.invocations.queries import current
from hub.invocations.reads import read
from hub.invocations.receive import receive
from hub.invocations.refuse import Refusal, by_policy, by_rules, refuse
from hub.invocations.request import Request
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import opened
from hub.invocations.states import State
from hub.invocations.under_grant import approve_by_grant
from hub.invocations.under_plan import Uncovered, approve_by_plan
from hub.invocations.values import Call, Invocation
from hub.policy import Action, Allowed, Decision, Denied, Obliged
from hub.registry import PublishedTool


async def invoke(call: Call, runtime: Runtime) -> Invocation:
    """Carry out `call` as far as it may go now, and return where it stands; takes at most about four seconds.

    Raises:
        NotFound: no such tool, or the caller may not see it.
        ScopeMissing: the token lacks scopes; names all of them.
        ArgumentsInvalid: the arguments break the tool's input schema; names every violation.
        IdempotencyMismatch: the caller's key was used for another request.
        Unavailable: the record could not be written; nothing was done.
    """
    entered = await enter(call, runtime)  # understood, and decided on; or refused at once
    if isinstance(entered, Invocation):
        return entered
    request, decision = entered.request, entered.decision
    if request.tool.effect is Effect.READ:
        return await read(request, decision, runtime)

    invocation = await _received(request, decision, runtime)  # on record, or the one it repeats
    if invocation.repeats:
        return invocation
    with suppress(Conflict):  # called off, or taken over by a worker: how it stands is on record
        async with heeding(call, invocation, runtime):
            work = carry_on(invocation, request.tool, runtime)
            if done := await runtime.tasks.within(runtime.answer_seconds, work):
                return done
    return await current(runtime, invocation.id)


async def _received(request: Request, decision: Decision, runtime: Runtime) -> Invocation:
    """Put a write on record, or return the one it repeats; one that is not new is not under way."""
    is_new = False
    try:
        invocation = await receive(request, decision, runtime)
        is_new = not invocation.repeats
    finally:
        if not is_new:
            await leave(request.invocation_id, runtime)
    return invocation


async def carry_on(invocation: Invocation, tool: PublishedTool, runtime: Runtime) -> Invocation:
    """Take a received write on: preview it, let policy decide, then commit it, ask for approval, or refuse it."""
    previewed = await dry_run(invocation, tool, runtime)
    if previewed.state is State.PREVIEW_FAILED or previewed.preview is None:
        return previewed
    if previewed.preview.revision != previewed.revision:  # of an earlier one: its system cannot be reached for now
        return previewed
    if broken := broken_rules(
        tool.tool.rules, opened(previewed, runtime.keys), previewed.preview.preview.model_dump(mode="json")
    ):
        return await refuse(previewed, by_rules(broken), runtime)
    decision = await decide_on(Action.AUTOCOMMIT, previewed, tool, runtime)
    previewed = await heed(previewed, decision, runtime)
    if isinstance(decision, Denied):
        return await refuse(previewed, by_policy(decision), runtime)
    return await _let_go(previewed, tool, decision, runtime)


async def _let_go(
    previewed: Invocation, tool: PublishedTool, decision: Allowed | Obliged, runtime: Runtime
) -> Invocation:
    """Take a write on that policy does not deny by itself: commit it, or ask; of a plan each step is decided on too."""
    of_steps = await ask_of_steps(previewed, runtime)
    for decided in of_steps.decided:
        previewed = await heed(previewed, decided, runtime)
    if of_steps.denied is not None:
        return await refuse(previewed, by_policy(of_steps.denied), runtime)
    if previewed.part is not None:
        return await _as_planned(previewed, tool, decision, runtime)
    if not of_steps.obligations and (granted := await _without_asking(previewed, tool, decision, runtime)):
        return await commit(granted, runtime)
    return await ask(previewed, tool, decision, runtime, also=of_steps.obligations)


async def _as_planned(
    previewed: Invocation, tool: PublishedTool, decision: Allowed | Obliged, runtime: Runtime
) -> Invocation:
    """Take a step of an approved plan on; one that the plan does not stand for goes no further, or people are asked."""
    match await approve_by_plan(previewed, tool, decision, runtime):
        case Uncovered():
            return await ask(previewed, tool, decision, runtime)
        case Refusal() as refusal:
            return await refuse(previewed, refusal, runtime)
        case granted:
            return await commit(granted, runtime)


async def _without_asking(
    previewed: Invocation, tool: PublishedTool, decision: Allowed | Obliged, runtime: Runtime
) -> Invocation | None:
    """Return the write approved by policy or by a grant; None: people are asked.

    They are about all that one of them proposed, and again about all that they were asked about before it went stale.
    """
    if previewed.counters or previewed.question is not None:
        return None
    if isinstance(decision, Allowed):
        return await approve_by_policy(previewed, tool, decision, runtime)
    if previewed.alarms:
        return None  # a grant was given for what is usual
    return await approve_by_grant(previewed, tool, decision, runtime)
