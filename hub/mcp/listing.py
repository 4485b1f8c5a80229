"""`tools/list`: what the caller's principal may use at this server, in one order, page by page.

A page goes on after the name that the one before ended with, in the catalog as it is then. So a tool that stays is
listed once, whatever else comes and goes in between; one that comes in before that name is told by `list_changed` and
by the next listing. A server that offers a search instead lists the two tools that search and call the others.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, ListToolsResult, PaginatedRequestParams, Tool, ToolAnnotations

from hub.core.errors import HubError, Malformed
from hub.identity.principals import Caller
from hub.invocations.masking import hidden_from, look_at
from hub.invocations.runtime import Runtime
from hub.keys import open_cursor, seal_cursor
from hub.mcp.abilities import abilities
from hub.mcp.admission import Admitted, admitted
from hub.mcp.hub_tools import HUB_TOOLS
from hub.mcp.loosened import loosened
from hub.mcp.needing_tasks import shown_to
from hub.mcp.search_tool_descriptions import SEARCH_TOOLS
from hub.registry import PublishedTool

PAGE: Final = 100
FRESH_MILLISECONDS: Final = 30_000
MOST_DESCRIBED: Final = 20_000
_OWN: Final = tuple(tool.description for tool in HUB_TOOLS.values())

Handler = Callable[[ServerRequestContext[Any, Any], PaginatedRequestParams | None], Awaitable[ListToolsResult]]


def listing(runtime: Runtime) -> Handler:
    """Return the handler of `tools/list`."""
    described: dict[tuple[str, str, bool], Tool] = {}

    async def describe(tool: PublishedTool, caller: Caller) -> Tool:
        # A version never changes, so neither does what is said of it under one name.
        is_masked = bool(await hidden_from(caller, look_at(tool), runtime))
        key = (tool.version.id, tool.name, is_masked)
        known = described.get(key)
        if known is None:
            if len(described) >= MOST_DESCRIBED:
                described.clear()
            whole = describe_tool(tool)
            loose = whole.model_copy(update={"output_schema": loosened(tool.output_schema)})
            known = described[key] = loose if is_masked else whole
        return known

    async def list_tools(
        context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        known = admitted(context)
        cursor = params.cursor if params else None
        try:
            after = None if cursor is None else _opened(runtime, known, cursor)
            if after is None and not await runtime.catalog.lists_all(server=known.server, caller=known.caller):
                return _page([*_OWN, *SEARCH_TOOLS])
            tools = await runtime.catalog.page(server=known.server, caller=known.caller, after=after, limit=PAGE + 1)
        except Malformed as error:
            raise MCPError(code=INVALID_PARAMS, message=error.message) from error
        except HubError as error:
            raise MCPError(code=INTERNAL_ERROR, message=error.message) from error
        listed = shown_to(tools[:PAGE], takes_tasks=abilities(context).takes_tasks)
        shown = [await describe(tool, known.caller) for tool in listed]
        own = _OWN if after is None else ()
        return _page([*own, *shown], _sealed(runtime, known, tools) if len(tools) > PAGE else None)

    return list_tools


def _page(tools: list[Tool], next_cursor: str | None = None) -> ListToolsResult:
    return ListToolsResult(tools=tools, next_cursor=next_cursor, ttl_ms=FRESH_MILLISECONDS, cache_scope="private")


def describe_tool(tool: PublishedTool) -> Tool:
    """Return `tool` as clients see it."""
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.input_schema),
        output_schema=dict(tool.output_schema),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.annotations.read_only,
            destructive_hint=tool.annotations.destructive,
            idempotent_hint=tool.annotations.idempotent,
            open_world_hint=tool.annotations.open_world,
        ),
    )


def _purpose(known: Admitted) -> str:
    return f"mcp-tools:{known.server}:{known.caller.visible_key}"


def _sealed(runtime: Runtime, known: Admitted, tools: Sequence[PublishedTool]) -> str:
    return seal_cursor(runtime.keys, tools[PAGE - 1].name, purpose=_purpose(known))


def _opened(runtime: Runtime, known: Admitted, cursor: str) -> str:
    return open_cursor(runtime.keys, cursor, purpose=_purpose(known))
