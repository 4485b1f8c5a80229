"""`hub_find_tools` and `hub_call_tool`: a catalog of any size behind two tools, on the very path of every call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_types import CallToolRequestParams, CallToolResult

from connectors.sdk.vocabulary import Effect, Fidelity, Tier
from hub.core.errors import ArgumentsInvalid, InputError, Violation
from hub.core.texts import shown
from hub.invocations.runtime import Runtime
from hub.mcp.admission import Admitted
from hub.mcp.needing_tasks import shown_to
from hub.mcp.results import answer
from hub.mcp.search_tool_descriptions import CALL, FIND, USUALLY_FOUND
from hub.registry import PublishedTool
from hub.registry.names import HUB_PREFIX
from schemas import CompiledSchema, compile_schema

Json = Any
"""Any JSON value."""

_FIND: Final = compile_schema(FIND.input_schema)
_CALL: Final = compile_schema(CALL.input_schema)
_NOTHING: Final = (
    "No tool that you may use fits these words. Say it in other words, with fewer of them, or ask the people who run "
    "the hub for access."
)
_FOUND: Final = "The best fit comes first. Call one with hub_call_tool, with its name and arguments."
_READ: Final = "None: it only reads, and answers at once."
_PREVIEWED: Final = " Its effect is previewed first, and exactly that is carried out, or nothing."
_UNSEEN: Final = (
    " Nobody can tell beforehand what this one would change: who approves it sees the arguments, and no preview."
)
_BY_TIER: Final[Mapping[Tier, str]] = {
    Tier.MEDIUM: "Perhaps: it goes by itself only if the policy finds nothing to ask about.",
    Tier.HIGH: "Yes, unless the policy says otherwise: another person approves it first.",
    Tier.CRITICAL: "Yes: several people approve it first.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which tool a message calls, with what; `through` is the tool of the hub that it was called by, if one was."""

    tool: str
    arguments: Mapping[str, Json]
    meta: Mapping[str, Json] = field(default_factory=dict[str, Json])
    through: str | None = None


async def find(
    runtime: Runtime, known: Admitted, arguments: Mapping[str, Json], *, takes_tasks: bool
) -> CallToolResult:
    """Return the tools that the client may call here and that answer its question, with all that it takes to call one.

    Raises:
        ArgumentsInvalid: they break the tool's schema.
        NotFound: there is no such server to look on, or the caller may not see it.
    """
    _check(_FIND, arguments)
    limit = wanted = arguments.get("limit", USUALLY_FOUND)
    while True:
        ranked = await runtime.catalog.search(
            arguments["query"],
            caller=known.caller,
            server=known.server,
            also_on=arguments.get("server"),
            limit=wanted,
        )
        tools = shown_to(ranked, takes_tasks=takes_tasks)[:limit]
        if len(tools) == limit or len(ranked) < wanted:
            break
        wanted *= 2  # some of the best are not for this client; what comes after them is
    allowed = known.caller.actor.allowed_scopes
    found = [_told(tool, allowed) for tool in tools]
    return answer({"tools": found, "message": _FOUND if found else _NOTHING})


def unwrapped(params: CallToolRequestParams) -> Asked:
    """Return what a message calls, be it by name or through `hub_call_tool`.

    Raises:
        ArgumentsInvalid: they break the schema of `hub_call_tool`.
        InputError: a tool of the hub itself is to be called through it.
    """
    given, meta = params.arguments or {}, dict(params.meta or {})
    if params.name != CALL.name:
        return Asked(tool=params.name, arguments=given, meta=meta)
    _check(_CALL, given)
    name = given["name"]
    if name.startswith(HUB_PREFIX):
        raise InputError(f"{shown(name)} is a tool of the hub itself; call it by its own name.")
    return Asked(tool=name, arguments=given.get("arguments", {}), meta=meta, through=CALL.name)


def _told(tool: PublishedTool, allowed: frozenset[str]) -> dict[str, Json]:
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "input_schema": dict(tool.input_schema),
        "effect": tool.effect.value,
        "tier": tool.tier.value,
        "approval": _approval(tool),
        "needed_scopes": list(tool.needed_scopes(allowed=allowed)),
    }


def _approval(tool: PublishedTool) -> str:
    """Return whether somebody has to agree to a call, and to what."""
    if tool.effect is Effect.READ:
        return _READ
    is_unseen = tool.operation.fidelity is Fidelity.NONE
    return f"{_BY_TIER[tool.tier]}{_UNSEEN if is_unseen else _PREVIEWED}"


def _check(schema: CompiledSchema, arguments: Mapping[str, Json]) -> None:
    findings = schema.violations(arguments)
    if findings:
        raise ArgumentsInvalid([Violation(pointer=one.pointer, message=one.message) for one in findings])
