"""Carrying out a federated tool: one `tools/call`, and what its answer proves."""

from typing import Any

from connectors.mcp_upstream import serving
from connectors.mcp_upstream.asking import asked, with_replies
from connectors.mcp_upstream.declared import Question, error_of, question, understood
from connectors.mcp_upstream.headers import of_a_call
from connectors.mcp_upstream.protocol import MODERN, Call, RpcError, Session, refusal
from connectors.mcp_upstream.results import ToolResult, tool_result, unfinished
from connectors.sdk.declaration import is_declared
from connectors.sdk.errors import ConnectorError, Refused, Unknown, Unreadable
from connectors.sdk.faults import first_fault
from connectors.sdk.preview import Preview
from connectors.sdk.run import (
    CONNECTOR_BROKEN,
    PHASE_MISSING,
    UNKNOWN_OPERATION,
    Done,
    Failed,
    PhaseCall,
    PhaseResult,
    Previewed,
)
from connectors.sdk.spec import ConnectorSpec, OperationSpec
from connectors.sdk.vocabulary import SERVES, Effect, Fidelity, Phase
from connectors.sdk.wire import Transport

Json = Any
"""Any JSON value."""


async def carry_out(spec: ConnectorSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Run the phase that `call` names of a tool that `discover` found."""
    try:
        operation = spec.operation(call.operation)
    except KeyError:
        return Failed(code=UNKNOWN_OPERATION, message=f"{spec.name} has no operation {call.operation!r}.")
    try:
        if SERVES in operation.binding:
            return await _of_served(operation, call, transport)
        return await _of_tool(operation, call, transport)
    except ConnectorError as error:
        return Failed(code=error.code, message=error.message)


async def _of_served(operation: OperationSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Read what is no tool, under the protocol's own name for it."""
    if call.phase is not Phase.READ:
        return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")
    session = await _session(operation, transport)
    answer = await _answer(session, with_replies(serving.asked(operation, call.arguments), call), call)
    if not isinstance(answer, dict):
        return answer
    if problem := unfinished(answer):
        raise Unreadable(f"The MCP server gave no answer. {problem}")
    return Done(output=serving.answered(answer))


async def _of_tool(operation: OperationSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Run a phase by the call of a tool: the operation's own, or the one that it declares for the phase."""
    asks = question(operation, call)
    is_write = operation.effect is not Effect.READ
    if asks is None and is_write and call.phase is Phase.PREVIEW and not is_declared(operation):
        nothing = "An MCP server cannot say what a call of its tool would change."
        return Previewed(preview=Preview(changes=(), fidelity=Fidelity.NONE, not_covered=(nothing,)))
    if asks is None:
        return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")
    session = await _session(operation, transport)
    is_vouched = bool(operation.binding["refuses_definitely"])
    answer = await _answer(session, _tool_call(asks, call, version=session.version), call, is_vouched=is_vouched)
    if not isinstance(answer, dict):
        return answer
    result = tool_result(answer, is_safe=_is_safe(call))
    if result.is_error:
        raise _reported(operation, result, is_safe=_is_safe(call))
    if not is_declared(operation):
        return Done(output=result.output)
    return _declared_answer(operation, asks.tool, call.phase, result.structured)


def _declared_answer(operation: OperationSpec, tool: str, phase: Phase, structured: Json) -> PhaseResult:
    """Return what the answer of a tool that declares what it does says, or that it says nothing of the kind."""
    nothing = "answered without structured content" if structured is None else None
    match phase:
        case Phase.READ if nothing:
            raise Unreadable(f"{tool} {nothing}.")
        case Phase.READ | Phase.COMMIT:
            return Done(output=structured, findings=(f"{tool} {nothing}.",) if nothing else ())
        case _:
            try:
                said = nothing or understood(operation, phase, structured)
            except ValueError as error:
                said = f"answered something else than declared: {first_fault(error)}"
    if not isinstance(said, str):
        return said
    return Failed(code=CONNECTOR_BROKEN, message=f"{tool}, which {operation.name} names for its {phase}, {said}.")


def _is_safe(call: PhaseCall) -> bool:
    return call.phase is not Phase.COMMIT


async def _answer(
    session: Session, made: Call, call: PhaseCall, *, is_vouched: bool = False
) -> dict[str, Json] | PhaseResult:
    """Return the server's answer, or how the phase ends without one: it refuses, or it asks the client of a read.

    Raises:
        ConnectorError: there is no answer.
    """
    may_ask = call.phase is Phase.READ
    try:
        answer = await session.ask(made)
    except RpcError as error:
        return (asked(error) if may_ask else None) or _refused(error, is_safe=made.is_safe, is_vouched=is_vouched)
    return (asked(answer) if may_ask and session.is_modern else None) or answer


def _refused(error: RpcError, *, is_safe: bool, is_vouched: bool) -> Failed:
    refused = refusal(error, is_safe=is_safe, is_vouched=is_vouched)
    return Failed(code=refused.code, message=refused.message, rpc_code=error.code)


def _reported(operation: OperationSpec, result: ToolResult, *, is_safe: bool) -> ConnectorError:
    """Return the error that a tool reports. It is definite, but no proof that nothing was done before it failed."""
    said = error_of(result.structured, is_safe=is_safe) if is_declared(operation) else None
    is_definite = is_safe or operation.binding["refuses_definitely"]
    return said or (Refused if is_definite else Unknown)(f"The tool reports an error: {result.words}")


async def _session(operation: OperationSpec, transport: Transport) -> Session:
    session = Session(transport=transport, version=str(operation.binding["version"]))
    if not operation.binding["opens_sessions"] or getattr(transport, "keeps_sessions", False):
        return session
    try:
        return await session.opened()
    except RpcError as error:
        raise refusal(error, is_safe=True) from error


def _tool_call(asks: Question, call: PhaseCall, *, version: str) -> Call:
    """Return the call of a tool; what its client can be asked and wants to hear goes along with a read alone."""
    is_newer = version >= MODERN
    repeated = of_a_call(asks.headers, asks.arguments) if is_newer else {}
    meta = {**asks.meta, **({"progressToken": 1} if call.is_heard else {})}
    if call.phase is Phase.READ and call.replies.log_level is not None and is_newer:
        meta["io.modelcontextprotocol/logLevel"] = call.replies.log_level
    params = {"name": asks.tool, "arguments": dict(asks.arguments)}
    made = Call("tools/call", params, name=asks.tool, headers=repeated, meta=meta, is_safe=_is_safe(call))
    return with_replies(made, call) if call.phase is Phase.READ else made
