"""Where every call comes in: it is understood, decided on, and let in, or refused at once and put on record."""

from dataclasses import dataclass

from connectors.sdk.rules import broken_rules
from connectors.sdk.vocabulary import Effect
from hub.core.errors import Forbidden, InputError, NotFound
from hub.core.masking import holds_marker
from hub.invocations.braking import admit
from hub.invocations.decisions import understand
from hub.invocations.refuse import (
    Attempt,
    Refusal,
    by_brakes,
    by_marker,
    by_policy,
    by_rules,
    record_attempt,
    refuse_at_once,
)
from hub.invocations.request import Request
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call, Invocation
from hub.policy import Allowed, Denied, Obliged


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """A call that nothing stands against so far, and what policy said of it."""

    request: Request
    decision: Allowed | Obliged


async def enter(call: Call, runtime: Runtime) -> Entered | Invocation:
    """Return `call` as it was understood and let in; or, as it stands on record, refused.

    Raises:
        NotFound: no such tool, or the caller may not see it.
        ScopeMissing: the token lacks scopes; names all of them.
        ArgumentsInvalid: the arguments break the tool's input schema; names every violation.
    """
    try:
        request, decision = await understand(call, runtime)
        _refuse_elsewhere(request)
    except (NotFound, Forbidden, InputError) as refusal:
        attempt = Attempt(caller=call.caller, server=call.server, tool=call.tool, trace_id=call.trace_id)
        await record_attempt(attempt, refusal, runtime)
        raise
    if isinstance(decision, Denied):
        return await refuse_at_once(request, by_policy(decision), runtime)
    if against := await _stands_against(request, runtime):
        return await refuse_at_once(request, against, runtime)
    return Entered(request=request, decision=decision)


def _refuse_elsewhere(request: Request) -> None:
    """Refuse to take replies to another connection than the one whose name stood in the questions."""
    if request.call.client.asked_by not in {None, request.tool.connection.id}:
        raise NotFound("What asked is published under this name no more; make the call again.")


async def would_enter(call: Call, runtime: Runtime) -> bool:
    """Return whether `call` would be let in as things are; asking takes nothing of a limit, and leaves no record."""
    try:
        request, decision = await understand(call, runtime)
    except (NotFound, Forbidden, InputError):
        return False
    if isinstance(decision, Denied) or _breaks(request) is not None:
        return False
    tool, agent_id = request.tool, call.caller.actor.id
    return not await runtime.brakes.stops(agent_id=agent_id, tool_id=tool.tool.id, connection_id=tool.connection.id)


async def _stands_against(request: Request, runtime: Runtime) -> Refusal | None:
    """Return what stands against a call that policy would let pass: its owner's rules, a kill switch, a limit."""
    if broken := _breaks(request):
        return broken
    if request.call.part is not None and request.tool.effect is not Effect.READ:
        return None  # its plan was let in; what stops its claim holds it back, and ends nothing
    braked = await admit(request, runtime)
    return None if braked is None else by_brakes(braked)


def _breaks(request: Request) -> Refusal | None:
    """Return which rule a call breaks by what it says: no markers, and what the tool's owner has set."""
    if holds_marker(request.arguments):
        return by_marker()
    broken = broken_rules(request.tool.tool.rules, request.arguments)
    return by_rules(broken) if broken else None
