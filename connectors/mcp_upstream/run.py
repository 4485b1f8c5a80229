"""Carrying out a federated tool: one `tools/call`, and what its answer proves."""

from typing import Any, cast

from mcp.shared.inbound import mcp_param_headers

from connectors.mcp_upstream import serving
from connectors.mcp_upstream.asking import asked, with_replies
from connectors.mcp_upstream.declared import error_of, question, understood
from connectors.mcp_upstream.protocol import MODERN, Call, RpcError, Session, refusal
from connectors.sdk.errors import ConnectorError, Refused, Unknown
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

_LONGEST_REASON = 300


async def carry_out(spec: ConnectorSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Run the phase that `call` names of a tool that `discover` found."""
    try:
        operation = spec.operation(call.operation)
    except KeyError:
        return Failed(code=UNKNOWN_OPERATION, message=f"{spec.name} has no operation {call.operation!r}.")
    if SERVES in operation.binding:
        return await _of_served(operation, call, transport)
    if "phases" in operation.binding:
        return await _of_declared(operation, call, transport)
    return await _of_plain(operation, call, transport)


async def _of_plain(operation: OperationSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Run a phase of a tool that declares nothing of itself."""
    is_read = operation.effect is Effect.READ
    match call.phase:
        case Phase.PREVIEW if not is_read:
            nothing = "An MCP server cannot say what a call of its tool would change."
            return Previewed(preview=Preview(changes=(), fidelity=Fidelity.NONE, not_covered=(nothing,)))
        case Phase.READ | Phase.COMMIT if is_read is (call.phase is Phase.READ):
            return await _answered(operation, call, transport)
        case _:
            return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")


async def _of_served(operation: OperationSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    """Read what is no tool, under the protocol's own name for it."""
    if call.phase is not Phase.READ:
        return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")
    try:
        session = await _session(operation, transport)
        result = await session.ask(with_replies(serving.asked(operation, call.arguments), call))
    except RpcError as error:
        return asked(error) or _refused(error, is_safe=True)
    except ConnectorError as error:
        return Failed(code=error.code, message=error.message)
    return asked(result) or Done(output=serving.answered(result))


async def _of_declared(operation: OperationSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    asked = question(operation, call)
    if asked is None:
        return Failed(code=PHASE_MISSING, message=f"{call.operation} has no {call.phase}.")
    is_safe = call.phase is not Phase.COMMIT
    tool_call = Call(
        "tools/call",
        {"name": asked.tool, "arguments": dict(asked.arguments)},
        name=asked.tool,
        meta=asked.meta,
        is_safe=is_safe,
    )
    try:
        session = await _session(operation, transport)
        structured = _structured(await session.ask(tool_call), is_safe=is_safe)
        return understood(operation, call.phase, structured) or Done(output=structured)
    except RpcError as error:
        return _refused(error, is_safe=is_safe)
    except ConnectorError as error:
        return Failed(code=error.code, message=error.message)
    except ValueError as error:
        return Failed(code=CONNECTOR_BROKEN, message=f"{asked.tool} answers something else than declared: {error}")


def _structured(result: dict[str, Json], *, is_safe: bool) -> Json:
    """Return what a declared tool answers.

    Raises:
        ConnectorError: the error that it says it is; one that does not say so is unclear to a write.
    """
    structured = result.get("structuredContent")
    if result.get("isError"):
        said = f"The tool reports an error: {_text(result.get('content'))}"
        raise error_of(structured, is_safe=is_safe) or (Refused if is_safe else Unknown)(said)
    return structured


async def _answered(operation: OperationSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    try:
        return await _call_tool(operation, call, transport)
    except ConnectorError as error:
        return Failed(code=error.code, message=error.message)


async def _call_tool(operation: OperationSpec, call: PhaseCall, transport: Transport) -> PhaseResult:
    is_safe = operation.effect is Effect.READ
    session = await _session(operation, transport)
    try:
        result = await session.ask(_tool_call(operation, call, is_safe=is_safe))
    except RpcError as error:
        return (asked(error) if is_safe else None) or _refused(error, is_safe=is_safe)
    if is_safe and (questions := asked(result)):
        return questions
    return Done(output=_output(operation, result, is_safe=is_safe))


def _refused(error: RpcError, *, is_safe: bool) -> Failed:
    refused = refusal(error, is_safe=is_safe)
    return Failed(code=refused.code, message=refused.message, rpc_code=error.code)


async def _session(operation: OperationSpec, transport: Transport) -> Session:
    session = Session(transport=transport, version=str(operation.binding["version"]))
    if not operation.binding["opens_sessions"] or getattr(transport, "keeps_sessions", False):
        return session
    try:
        return await session.opened()
    except RpcError as error:
        raise refusal(error, is_safe=True) from error


def _tool_call(operation: OperationSpec, call: PhaseCall, *, is_safe: bool) -> Call:
    name = str(operation.binding["tool"])
    arguments = dict(call.arguments)
    headers: dict[str, str] = {}
    if operation.binding["version"] == MODERN:
        declared = cast("dict[str, list[str]]", operation.binding["headers"])
        paths = {tuple(path): token for token, path in declared.items()}
        headers = {name.lower(): value for name, value in mcp_param_headers(paths, arguments).items()}
    params = {"name": name, "arguments": arguments}
    meta: dict[str, Json] = {"progressToken": 1} if call.is_heard else {}
    if is_safe and call.replies.log_level is not None and operation.binding["version"] == MODERN:
        meta["io.modelcontextprotocol/logLevel"] = call.replies.log_level
    made = Call("tools/call", params, name=name, headers=headers, meta=meta, is_safe=is_safe)
    return with_replies(made, call) if is_safe else made


def _output(operation: OperationSpec, result: dict[str, Json], *, is_safe: bool) -> Json:
    if result.get("resultType", "complete") != "complete":
        what = "The tool asks for more input, which cannot be given here."
        raise Refused(what) if is_safe else Unknown(what)
    content = result.get("content", [])
    if result.get("isError"):
        # A definite answer of the tool, but no proof that it did nothing before it failed.
        is_definite = is_safe or operation.binding["refuses_definitely"]
        raise (Refused if is_definite else Unknown)(f"The tool reports an error: {_text(content)}")
    output: dict[str, Json] = {"content": content}
    if result.get("structuredContent") is not None:
        output["structuredContent"] = result["structuredContent"]
    return output


def _text(content: Json) -> str:
    """Return the words of an error; a server may say anything."""
    blocks = cast("list[Json]", content) if isinstance(content, list) else []
    said = [cast("dict[str, Json]", block) for block in blocks if isinstance(block, dict)]
    texts = [str(block.get("text", "")) for block in said if block.get("type") == "text"]
    return " ".join(texts)[:_LONGEST_REASON] or "it does not say which"
