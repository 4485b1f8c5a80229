"""`tools/call`: one message becomes one governed call, and whatever comes of it a result."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from mcp.server.context import ServerRequestContext
from mcp_types import CallToolRequestParams, CallToolResult

from hub.core.errors import HubError
from hub.invocations.envelope import envelope
from hub.invocations.invoke import invoke
from hub.invocations.masking import answer_for
from hub.invocations.runtime import Runtime
from hub.invocations.values import Call
from hub.mcp.admission import CALLED, Admitted, admitted
from hub.mcp.claims import claims_in, idempotency_key_in
from hub.mcp.finding import Asked, find, unwrapped
from hub.mcp.hub_tools import HUB_TOOLS
from hub.mcp.results import internal_error, refusal, result_of
from hub.mcp.search_tool_descriptions import FIND

Json = Any
"""Any JSON value."""

_log = structlog.get_logger(__name__)

Handler = Callable[[ServerRequestContext[Any, Any], CallToolRequestParams], Awaitable[CallToolResult]]


def calling(runtime: Runtime) -> Handler:
    """Return the handler of `tools/call`."""

    async def call(context: ServerRequestContext[Any, Any], params: CallToolRequestParams) -> CallToolResult:
        known = admitted(context)
        try:
            hub_tool = HUB_TOOLS.get(params.name)
            if hub_tool is not None:
                return await hub_tool.answer(runtime, known.caller, params.arguments or {})
            if params.name == FIND.name:
                return await find(runtime, known, params.arguments or {})
            invocation = await invoke(_call(known, unwrapped(params)), runtime)
            shown = await answer_for(known.caller, invocation, runtime)
            return result_of(envelope(shown, public_url=runtime.public_url))
        except HubError as error:
            return refusal(error)
        except Exception:  # noqa: BLE001  # the door: logged, and answered without internals
            _log.exception("a tool call failed", trace_id=known.trace_id, tool=params.name[:64])
            return internal_error(known.trace_id)

    return call


def called_schema(name: str) -> Mapping[str, Json] | None:
    """Return the input schema of the tool that is being called, if headers repeat some of its arguments.

    Without it the SDK would list all tools for every call. `x-mcp-header` marks such an argument (2026-07-28).
    """
    tool = CALLED.get()
    if tool is None or tool.name != name or not _mirrors_arguments(tool.input_schema):
        return None
    return tool.input_schema


def _mirrors_arguments(schema: Mapping[str, Json]) -> bool:
    properties = schema.get("properties", {})
    return any("x-mcp-header" in one for one in properties.values() if isinstance(one, Mapping))


def _call(known: Admitted, asked: Asked) -> Call:
    meta: Mapping[str, Json] = asked.meta
    return Call(
        caller=known.caller,
        server=known.server,
        tool=asked.tool,
        arguments=asked.arguments,
        through=asked.through,
        trace_id=known.trace_id,
        claims=claims_in(meta),
        idempotency_key=idempotency_key_in(meta, known.idempotency_key),
    )
