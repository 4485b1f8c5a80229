"""What an MCP server offers beside tools (resources, prompts, completions), as reads that bear the list of it.

Each kind becomes one operation of the connector. Its binding holds what is `listed`, so that everything an agent reads
of it is part of the operation, and changes only with it. These operations are no tools: the hub serves them as what
they are, on the governed way of every read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.mcp_upstream.apart import apart
from connectors.mcp_upstream.keepable import shown, unkeepable
from connectors.mcp_upstream.protocol import Call, RpcError, Session, refusal
from connectors.sdk.errors import Unreadable
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import SERVES, Effect, Tier

Json = Any
"""Any JSON value."""

_Listed = dict[str, dict[str, Json]]
"""What a list holds, by its keys."""

LISTED: Final = "listed"
RESOURCES, PROMPTS, COMPLETIONS = "resources", "prompts", "completions"
METHODS: Final = {RESOURCES: "resources/read", PROMPTS: "prompts/get", COMPLETIONS: "completion/complete"}
LISTING: Final = ("resources/list", "resources/templates/list", "prompts/list")
_NO_SUCH_METHOD: Final = -32601
_MOST: Final = 1000
_MOST_PAGES: Final = 50
_LONGEST: Final = 1023
_LONGEST_KEY: Final = 2000
"""Of an address, or a prompt's name: cut, it would name something else."""
_TEXT: Final[dict[str, Json]] = {"type": "string", "maxLength": 4000}
_OBJECT: Final[dict[str, Json]] = {"type": "object"}
_INPUTS: Final[Mapping[str, dict[str, Json]]] = {
    RESOURCES: {"properties": {"uri": _TEXT}, "required": ["uri"]},
    PROMPTS: {"properties": {"name": _TEXT, "arguments": _OBJECT}, "required": ["name"]},
    COMPLETIONS: {
        "properties": {"ref": _OBJECT, "argument": _OBJECT, "context": _OBJECT},
        "required": ["ref", "argument"],
    },
}
_OUTPUTS: Final[Mapping[str, dict[str, Json]]] = {
    RESOURCES: {"properties": {"contents": {"type": "array", "items": _OBJECT}}, "required": ["contents"]},
    PROMPTS: {
        "properties": {"description": {"type": "string"}, "messages": {"type": "array", "items": _OBJECT}},
        "required": ["messages"],
    },
    COMPLETIONS: {"properties": {"completion": _OBJECT}, "required": ["completion"]},
}
_KEPT: Final = ("uri", "uriTemplate", "name", "title", "description", "mimeType", "size", "annotations", "arguments")
"""What is told of a thing. Its icons are not: a client would fetch them from addresses that nobody has judged."""
_OURS: Final = ("_meta", "resultType", "ttlMs", "cacheScope")
"""Members of a result that are between us and the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The operations for what a server offers beside tools; of its lists, what was left out by name, and why."""

    operations: list[OperationSpec]
    left_out: list[tuple[str, str]]


def names(connector: str) -> frozenset[str]:
    """Return what the operations of a connector are called that read what is no tool: no tool is called so."""
    return frozenset(_name(kind, connector) for kind in METHODS)


def _name(kind: str, connector: str) -> str:
    return f"{connector}_{kind}"


async def served(session: Session, connector: str, manner: Mapping[str, Json]) -> Served:
    """Return what the server says it offers beside tools.

    Raises:
        ConnectorError: it cannot be listed.
    """
    can = session.capabilities
    lists = dict[str, dict[str, _Listed]]()
    if "resources" in can:
        resources = await _all(session, "resources/list", "resources", "uri")
        templates = await _all(session, "resources/templates/list", "resourceTemplates", "uriTemplate")
        lists[RESOURCES] = {"resources": resources, "templates": templates}
    if "prompts" in can:
        lists[PROMPTS] = {"prompts": await _all(session, "prompts/list", "prompts", "name")}
    if "completions" in can:
        lists[COMPLETIONS] = {}
    return await apart(lambda: _made(lists, connector, manner))


def _made(lists: Mapping[str, Mapping[str, _Listed]], connector: str, manner: Mapping[str, Json]) -> Served:
    """Return the operations that bear `lists`, by their kinds; looking through long ones takes seconds."""
    found, left_out = list[OperationSpec](), list[tuple[str, str]]()
    for kind, members in lists.items():
        listed = {member: _kept(one, left_out) for member, one in members.items()}
        found.append(_operation(kind, connector, manner, listed))
    return Served(operations=found, left_out=left_out)


def _kept(listed: _Listed, left_out: list[tuple[str, str]]) -> list[dict[str, Json]]:
    """Return what can be kept of a list, in the order of its keys, and add to `left_out` what cannot."""
    kept = list[dict[str, Json]]()
    for name, one in sorted(listed.items()):
        if len(name) > _LONGEST_KEY:
            left_out.append((shown(name), f"its address or name is longer than {_LONGEST_KEY} characters"))
        elif why := unkeepable(one):
            left_out.append((shown(name), why))
        else:
            kept.append(one)
    return kept


def _operation(kind: str, connector: str, manner: Mapping[str, Json], listed: Mapping[str, Json]) -> OperationSpec:
    title = f"{kind.capitalize()} of {connector}"
    return OperationSpec(
        name=_name(kind, connector),
        title=title,
        description=f"{title}, served as such: no tool.",
        effect=Effect.READ,
        tier=Tier.LOW,
        input_schema={"type": "object", **_INPUTS[kind], "additionalProperties": False},
        output_schema={"type": "object", **_OUTPUTS[kind]},
        max_unsafe_requests=0,
        binding={SERVES: kind, "tool": METHODS[kind], **manner, LISTED: listed},
    )


async def _all(session: Session, method: str, member: str, key: str) -> _Listed:
    """Return what a list holds, by its keys."""
    found = dict[str, dict[str, Json]]()
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        try:
            page = await session.ask(Call(method, {} if cursor is None else {"cursor": cursor}))
        except RpcError as error:
            if error.code == _NO_SUCH_METHOD and cursor is None:  # who offers resources need not offer templates
                return {}
            raise refusal(error, is_safe=True) from error
        items = page.get(member)
        for item in cast("list[Json]", items) if isinstance(items, list) else []:
            if isinstance(item, dict) and isinstance(named := cast("dict[str, Json]", item).get(key), str):
                found[named] = {**dict(_told(cast("dict[str, Json]", item))), key: named}
        if len(found) > _MOST:
            raise Unreadable(f"The MCP server lists more than {_MOST} {member}; have it list fewer.")
        cursor = session.after(page)
        if cursor is None:
            return found
    raise Unreadable(f"The MCP server's list of {member} does not end.")


def _told(item: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for name in _KEPT:
        if name in item:
            value = item[name]
            yield name, value[:_LONGEST] if isinstance(value, str) else value


def asked(operation: OperationSpec, arguments: Mapping[str, Json]) -> Call:
    """Return the request that reads what `arguments` name."""
    kind = str(operation.binding[SERVES])
    named = arguments.get("uri" if kind == RESOURCES else "name")
    return Call(METHODS[kind], dict(arguments), about=named if isinstance(named, str) else None)


def answered(result: Mapping[str, Json]) -> dict[str, Json]:
    """Return what the server answered, without what is between us and it."""
    return {name: value for name, value in result.items() if name not in _OURS}
