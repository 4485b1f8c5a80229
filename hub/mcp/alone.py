"""One connector alone as an MCP server: its tools, with what they declare, and their other phases as tools beside them.

It is for trying a connector out, and how a connector that is at home elsewhere joins a hub. There are no people, no
policy and no record here: whoever reaches it may write. The fence and the confinement are those of every hub.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server as SdkServer
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import ValidationError
from starlette.types import ASGIApp

from connectors.sdk.declaration import COMMIT, OPERATION, Commit, Phases, declaration
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Phase, UpstreamClass
from hub.invocations.proving.laboratory import Laboratory
from hub.invocations.proving.single import Answered, Told, phase_of, read, write
from hub.mcp.results import as_text
from hub.registry.publishing import annotations

Json = Any
"""Any JSON value."""

_OBJECT: Final[dict[str, Json]] = {"type": "object"}
_TAKES: Final[Mapping[Phase, dict[str, Json]]] = {
    Phase.OBSERVE: {"type": "object", "properties": {"input": _OBJECT, "output": {}, "before": _OBJECT}},
    Phase.LOOKUP: {"type": "object", "properties": {"input": _OBJECT, "key": {"type": "string"}}},
}


class Alone:
    """The server of the connector in a laboratory."""

    def __init__(self, lab: Laboratory) -> None:
        self._lab = lab
        self._operations = {one.name: one for one in lab.spec.operations}
        self._phases = {
            tool: (one, Phase(phase)) for one in lab.spec.operations for phase, tool in phases_of(one).tools.items()
        }

    def server(self) -> SdkServer[Any]:
        """Return the SDK's server."""
        spec = self._lab.spec
        return SdkServer(
            f"toolhub-connector/{spec.name}",
            version=spec.version,
            title=spec.title,
            instructions=spec.description,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    async def over_stdio(self) -> None:
        """Serve standard input and output until the input ends."""
        server = self.server()
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    def over_http(self) -> ASGIApp:
        """Return the application that serves streamable HTTP at `/mcp`, to callers on this machine alone."""
        return self.server().streamable_http_app(json_response=True, stateless_http=True, host="127.0.0.1")

    async def _list(self, context: ServerRequestContext[Any], params: PaginatedRequestParams | None) -> ListToolsResult:
        del context, params
        return ListToolsResult(tools=[tool for one in self._operations.values() for tool in _described(one)])

    async def _call(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        del context
        arguments: dict[str, Json] = params.arguments or {}
        if params.name in self._phases:
            writes, phase = self._phases[params.name]
            return _result(await phase_of(self._lab, writes.name, phase, arguments))
        operation = self._operations.get(params.name)
        if operation is None:
            raise MCPError(code=INVALID_PARAMS, message=f"There is no tool {params.name!r}; list the tools.")
        if operation.effect is Effect.READ:
            return _result(await read(self._lab, operation.name, arguments))
        return _result(await write(self._lab, operation, arguments, _commit(params.meta or {})))


def phases_of(operation: OperationSpec) -> Phases:
    """Return the tools for the other phases of `operation`. No operation's own name holds a hyphen."""
    if operation.effect is Effect.READ:
        return Phases()
    return Phases(
        preview=None if operation.fidelity is Fidelity.NONE else f"{operation.name}-preview",
        observe=f"{operation.name}-observe" if operation.observable else None,
        lookup=f"{operation.name}-lookup" if operation.upstream_class is UpstreamClass.C else None,
    )


def _described(operation: OperationSpec) -> Iterator[Tool]:
    phases, hints = phases_of(operation), annotations(operation, operation.tier)
    yield Tool(
        name=operation.name,
        title=operation.title,
        description=operation.description,
        input_schema=dict(operation.input_schema),
        output_schema=dict(operation.output_schema),
        annotations=ToolAnnotations(
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
        _meta={OPERATION: declaration(operation, phases)},
    )
    for phase, tool in phases.tools.items():
        yield Tool(
            name=tool,
            title=f"{operation.title} ({phase})",
            description=f"The {phase} of {operation.name}: changes nothing.",
            input_schema=_TAKES.get(Phase(phase), dict(operation.input_schema)),
            annotations=ToolAnnotations(read_only_hint=True),
        )


def _commit(meta: Mapping[str, Json]) -> Commit | None:
    try:
        return Commit.model_validate(meta[COMMIT]) if COMMIT in meta else None
    except ValidationError as error:
        what = f"_meta {COMMIT} cannot be read ({error.error_count()} errors)"
        raise MCPError(code=INVALID_PARAMS, message=what) from error


def _result(told: Told) -> CallToolResult:
    is_error = not isinstance(told, Answered)
    structured = told.value if isinstance(told, Answered) else {"code": told.code, "message": told.message}
    content = [TextContent(type="text", text=as_text(structured))]
    return CallToolResult(content=list(content), structured_content=structured, is_error=is_error)
