"""The hub's own tools, on every server: how an invocation stands, calling one off, and the list of one's own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_types import CallToolResult, Tool

from hub.identity.principals import Caller
from hub.invocations.envelope import Status, envelope, outward, page_of
from hub.invocations.queries import Wanted, cancel, get_invocation, my_invocations
from hub.invocations.runtime import Runtime
from hub.invocations.values import Invocation
from hub.keys import open_cursor, seal_cursor
from hub.mcp.hub_tool_descriptions import CANCEL, GET, MINE
from hub.mcp.results import answer
from hub.mcp.retelling import told_at
from hub.registry import canonical_under
from schemas import CompiledSchema, compile_schema

Json = Any
"""Any JSON value."""

PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks one of these tools, and at which server."""

    caller: Caller
    server: str


Answer = Callable[[Runtime, Asker, Mapping[str, Json]], Awaitable[CallToolResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubTool:
    """One of the hub's own tools: how clients see it, and how it answers."""

    description: Tool
    arguments: CompiledSchema
    answers: Answer

    async def answer(self, runtime: Runtime, asker: Asker, arguments: Mapping[str, Json]) -> CallToolResult:
        """Return what the tool says to `arguments`.

        Raises:
            ArgumentsInvalid: they break its schema.
            HubError: whatever the answer itself raises.
        """
        return await self.answers(runtime, asker, canonical_under(self.arguments, arguments))


async def _get(runtime: Runtime, asker: Asker, arguments: Mapping[str, Json]) -> CallToolResult:
    seconds = arguments.get("wait_seconds", 0)
    invocation = await get_invocation(runtime, asker.caller, arguments["id"], wait_seconds=seconds)
    return await _standing(runtime, asker, invocation)


async def _cancel(runtime: Runtime, asker: Asker, arguments: Mapping[str, Json]) -> CallToolResult:
    invocation = await cancel(runtime, asker.caller, arguments["id"], reason=arguments["reason"])
    return await _standing(runtime, asker, invocation)


async def _standing(runtime: Runtime, asker: Asker, invocation: Invocation) -> CallToolResult:
    told = await told_at(asker.server, asker.caller, invocation, runtime)
    standing = standing_of(told, runtime.public_url)
    return answer(standing, standing["message"])


async def _mine(runtime: Runtime, asker: Asker, arguments: Mapping[str, Json]) -> CallToolResult:
    caller = asker.caller
    purpose = f"mcp-invocations:{caller.visible_key}"
    cursor, status = arguments.get("cursor"), arguments.get("status")
    after = None if cursor is None else open_cursor(runtime.keys, cursor, purpose=purpose)
    wanted = Wanted(status=None if status is None else Status(status))
    page = await my_invocations(runtime, caller, wanted=wanted, after=after, limit=PAGE)
    found: dict[str, Json] = {"invocations": [_line(invocation, runtime.public_url) for invocation in page.items]}
    if page.next_after is not None:
        found["next_cursor"] = seal_cursor(runtime.keys, page.next_after, purpose=purpose)
    return answer(found)


def standing_of(invocation: Invocation, public_url: str) -> dict[str, Json]:
    """Return how an invocation stands. Asking was no error, whatever became of it; its result is `result`."""
    said = envelope(invocation, public_url=public_url)
    standing = _line(invocation, public_url)
    if said.status is Status.DONE:
        done = f"Done (invocation {invocation.id})."
        findings = {"findings": list(invocation.findings)} if invocation.findings else {}
        masked = {"masked": list(invocation.masked)} if invocation.masked else {}
        return {**standing, "message": said.text or done, "result": said.structured, **findings, **masked}
    return {**standing, **said.structured, "message": said.text}


def _line(invocation: Invocation, public_url: str) -> dict[str, Json]:
    return {
        "invocation_id": invocation.id,
        "tool": invocation.tool_name,
        "status": outward(invocation).status.value,
        "state": invocation.state.value,
        "created_at": invocation.created_at.isoformat(),
        "status_url": page_of(invocation, public_url),
    }


HUB_TOOLS: Final[Mapping[str, HubTool]] = {
    tool.name: HubTool(description=tool, arguments=compile_schema(tool.input_schema), answers=answers)
    for tool, answers in ((CANCEL, _cancel), (GET, _get), (MINE, _mine))
}
"""The hub's own tools by name; the prefix `hub_` is reserved for them."""
