"""Turning an MCP server's list of tools into a connector; nothing the server says can lower a tier."""

from asyncio import timeout
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from glob import escape
from typing import Any, cast

from connectors.mcp_upstream import serving
from connectors.mcp_upstream.apart import apart, each_apart
from connectors.mcp_upstream.declared import declarations, declared_effect, fields_of, says_it_writes
from connectors.mcp_upstream.headers import repeated
from connectors.mcp_upstream.keepable import drop_far_bounds, shown, unkeepable
from connectors.mcp_upstream.listed import Bounded, listed
from connectors.mcp_upstream.patterns import drop_patterns
from connectors.mcp_upstream.protocol import HANDSHAKE, LEGACY, MODERN, Call, RpcError, Session, refusal
from connectors.sdk.artefact import artefact_digest
from connectors.sdk.declaration import Declared
from connectors.sdk.errors import NotFound, Refused, Unreadable
from connectors.sdk.faults import first_fault
from connectors.sdk.names import normalised
from connectors.sdk.portable import bound_integers, drop_null, parts_of, reference_problem
from connectors.sdk.rpc import tool_call
from connectors.sdk.spec import AuthSpec, ConnectorSpec, OperationSpec, SafeRule, contradictions_between
from connectors.sdk.vocabulary import SERVES, Effect, Phase, Tier
from connectors.sdk.wire import Transport
from schemas import CompiledSchema, SchemaInvalid, compile_schema, lint_input, lint_output, placed

Json = Any
"""Any JSON value."""

ENTRY = "connectors.mcp_upstream:carry_out"
_ANSWER_SECONDS = 10.0
_LONGEST_INSTRUCTIONS = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What the owner of the connector says of the server; tools are named as the server names them.

    `reads` are the tools that are known to change nothing: only with the owner's word is a tool a read.
    `refuses_definitely` are the writes that do nothing when they refuse; of others that is not known.
    """

    name: str
    version: str = "1.0.0"
    title: str = ""
    auth: AuthSpec = field(default_factory=AuthSpec)
    reads: frozenset[str] = frozenset()
    refuses_definitely: frozenset[str] = frozenset()
    vouches: bool = False
    """Whether what tools declare under `dev.toolhub/operation` is believed: the server is a connector of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A tool, or what stands beside tools, that cannot be published, and why."""

    tool: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What a server offers: a connector made of its tools, and the tools that were left out."""

    spec: ConnectorSpec
    refused: tuple[Refusal, ...]

    @property
    def tools(self) -> frozenset[str]:
        """What the server calls its tools, those that were left out included."""
        made = {str(one.binding["tool"]) for one in self.spec.operations if SERVES not in one.binding}
        return frozenset(made | {one.tool for one in self.refused})


def owner_of(spec: ConnectorSpec) -> Owner:
    """Return the owner's words with which `spec` was made of a server's."""
    tools = [one for one in spec.operations if SERVES not in one.binding]
    reads = [one for one in tools if one.effect is Effect.READ and "phases" not in one.binding]
    return Owner(
        name=spec.name,
        version=spec.version,
        title=spec.title,
        auth=spec.auth,
        reads=frozenset(str(one.binding["tool"]) for one in reads),
        refuses_definitely=frozenset(str(one.binding["tool"]) for one in tools if one.binding["refuses_definitely"]),
        vouches=any("phases" in one.binding for one in tools),
    )


def before_discovery(owner: Owner) -> ConnectorSpec:
    """Return the connector without tools: what a channel must know to let `discover` meet the server, and no more."""
    return _connector(owner, [])


async def discover(transport: Transport, owner: Owner) -> Discovery:
    """Return the server's tools as a connector.

    Raises:
        Unavailable: the server cannot be reached.
        Refused, Unreadable: it is there, but speaks no protocol that we know.
    """
    session, opens_sessions = await _meet(Bounded(transport))
    tools, problems = await listed(session)
    refused = [Refusal(tool=shown(name), reason=why) for name, why in problems]
    await drop_patterns(tools)
    declared = declarations(tools) if owner.vouches else {}
    aside = _phase_tools(declared)
    ours = [name for name in tools if name not in aside]
    names = await apart(lambda: normalised(ours, serving.names(owner.name)))
    manner = {"version": session.version, "opens_sessions": opens_sessions}

    def made(name: str) -> OperationSpec | Refusal:
        try:
            if (said := declared.get(name)) is None:
                return _fit(_operation(names[name], tools[name], owner, manner))
            return _fit(_declared_operation(names[name], name, tools, said, manner))
        except (SchemaInvalid, ValueError, TypeError) as error:
            return Refusal(tool=name, reason=first_fault(error)[:500])
        except (AttributeError, KeyError, RecursionError) as error:
            return Refusal(tool=name, reason=f"its schemas cannot be understood ({type(error).__name__})")

    ready = await each_apart(made, sorted(names))
    operations, left_out = _consistent([one for one in ready if isinstance(one, OperationSpec)])
    refused += [*(one for one in ready if isinstance(one, Refusal)), *left_out]
    beside = await serving.served(session, owner.name, manner)
    operations += beside.operations
    refused += [Refusal(tool=name, reason=why) for name, why in beside.left_out]
    spec = await apart(lambda: _connector(owner, operations, session.about))
    return Discovery(spec=spec, refused=tuple(refused))


async def _meet(transport: Transport) -> tuple[Session, bool]:
    """Return a session of the newest protocol the server speaks, and whether it must be opened for each call."""
    modern = Session(transport=transport, version=MODERN)
    try:
        async with timeout(_ANSWER_SECONDS):
            about = await modern.ask(Call("server/discover", {}))
        if isinstance(versions := about.get("supportedVersions"), list) and MODERN in versions:
            return replace(modern, about=about), False
    except (RpcError, Refused, NotFound, Unreadable, TimeoutError):
        pass  # whatever an older server makes of this request, and if it is silence, the older handshake decides
    try:
        session = await Session(transport=transport, version=LEGACY).opened()
    except RpcError as error:
        raise refusal(error, is_safe=True) from error
    return session, session.session_id is not None


def _connector(owner: Owner, operations: list[OperationSpec], about: Mapping[str, Json] | None = None) -> ConnectorSpec:
    reads = [operation for operation in operations if operation.effect is Effect.READ]
    safe = [*HANDSHAKE, *serving.LISTING, *(_requested(operation) for operation in reads)]
    phases = [each for operation in operations for each in _phases_of(operation)]
    safe += [tool_call(tool) for phase, tool in phases if phase != Phase.PREVIEW]
    previews = [tool_call(tool) for phase, tool in phases if phase == Phase.PREVIEW]
    return ConnectorSpec(
        name=owner.name,
        version=owner.version,
        title=owner.title or owner.name.replace("_", " ").capitalize(),
        description=_description(operations, about or {}),
        entry=ENTRY,
        runs="direct",
        artefact_digest=artefact_digest("connectors.mcp_upstream"),
        auth=owner.auth,
        safe=(
            *(SafeRule(method="POST", path="", operation=escape(call)) for call in safe),
            *(SafeRule(method="POST", path="", operation=escape(call), preview_only=True) for call in previews),
        ),
        rpc="mcp",
        operations=tuple(operations),
    )


def _requested(read: OperationSpec) -> str:
    """Return what the broker finds a read to ask for."""
    return str(read.binding["tool"]) if SERVES in read.binding else tool_call(str(read.binding["tool"]))


def _description(operations: list[OperationSpec], about: Mapping[str, Json]) -> str:
    """Return what people read of the connector: how much there is, and what the server itself says of its use."""
    count = sum(SERVES not in operation.binding for operation in operations)
    said = about.get("instructions")
    words = f" It says: {said[:_LONGEST_INSTRUCTIONS]}" if isinstance(said, str) and said else ""
    if unkeepable(words):
        words = " What it says of itself cannot be kept."
    return f"{count} tools of another MCP server.{words}"


def _operation(ours: str, tool: Mapping[str, Json], owner: Owner, manner: Mapping[str, Json]) -> OperationSpec:
    theirs = str(tool["name"])
    given: Json = tool.get("annotations") or {}
    if not isinstance(given, dict):
        raise ValueError("its annotations are not one object")  # noqa: TRY004  # what is wrong is what the server said
    hints = cast("dict[str, Json]", given)
    schema = _usable(tool.get("inputSchema"))
    # A hint may only raise: who says it writes is believed, who says it reads needs the owner's word.
    declares = declared_effect(tool)
    is_read = theirs in owner.reads and not says_it_writes(hints, declares)
    title = str(tool.get("title") or hints.get("title") or ours.replace("_", " ").capitalize())
    return OperationSpec(
        name=ours,
        title=title[:120],
        description=(str(tool.get("description") or "") or title)[:1023],
        effect=Effect.READ if is_read else _effect(hints),
        tier=Tier.LOW if is_read else Tier.HIGH,
        input_schema=schema,
        output_schema=_output(tool.get("outputSchema")),
        max_unsafe_requests=0 if is_read else 1,
        binding={
            "tool": theirs,
            **manner,
            "headers": repeated(schema),
            "hints": hints,
            **({} if declares is None else {"declares": declares}),
            "refuses_definitely": theirs in owner.refuses_definitely,
        },
    )


def _declared_operation(
    ours: str, theirs: str, tools: Mapping[str, Mapping[str, Json]], said: Declared | str, manner: Mapping[str, Json]
) -> OperationSpec:
    """Return the operation that a tool declares itself to be; its owner vouches for that."""
    if isinstance(said, str):
        raise ValueError(said)  # noqa: TRY004  # what is wrong is what the server said
    tool = tools[theirs]
    schema = _usable(tool.get("inputSchema"))
    aside = {phase: repeated(tools[named].get("inputSchema")) for phase, named in said.phases.tools.items()}
    title = str(tool.get("title") or ours.replace("_", " ").capitalize())
    return OperationSpec.model_validate(
        {
            "name": ours,
            "title": title[:120],
            "description": (str(tool.get("description") or "") or title)[:1023],
            "input_schema": schema,
            **fields_of(said, tool),
            "binding": {
                "tool": theirs,
                **manner,
                "headers": repeated(schema),
                **({"hints": hints} if (hints := tool.get("annotations")) else {}),
                "refuses_definitely": False,
                "phases": said.phases.tools,
                "phase_headers": {phase: found for phase, found in aside.items() if found},
            },
        }
    )


def _consistent(operations: Sequence[OperationSpec]) -> tuple[list[OperationSpec], list[Refusal]]:
    """Return the operations that can be beside each other, and why the others cannot: what undoes them is not there."""
    why = dict(contradictions_between(operations))
    undone_by: dict[str, list[str]] = {}
    for one in operations:
        if one.compensation is not None:
            undone_by.setdefault(one.compensation.tool, []).append(one.name)
    ahead = [*why]
    while ahead:
        gone = ahead.pop()
        for name in undone_by.get(gone, ()):
            if name not in why:
                why[name] = f"{name} is undone by {gone}, which is left out"
                ahead.append(name)
    refused = [Refusal(tool=str(one.binding["tool"]), reason=why[one.name]) for one in operations if one.name in why]
    return [one for one in operations if one.name not in why], refused


def _fit(operation: OperationSpec) -> OperationSpec:
    """Return an operation that can be published: one tool that some client cannot read never keeps the others out."""
    findings = [*lint_input(operation.input_schema), *lint_output(operation.output_schema)]
    findings += [why] if (why := unkeepable(operation.model_dump(mode="json"))) else []
    findings += [*_broken_by(operation)] if operation.examples and not findings else []
    if findings:
        raise ValueError("; ".join(findings))
    return operation


def _broken_by(operation: OperationSpec) -> Iterator[str]:
    schema = CompiledSchema(operation.input_schema)
    for number, example in enumerate(operation.examples, start=1):
        yield from (f"its example {number} breaks its schema: {why}" for _, why in schema.violations(dict(example)))


def _phase_tools(declared: Mapping[str, Declared | str]) -> set[str]:
    """Return the tools that are phases of others, and so no tools of their own."""
    return {tool for said in declared.values() if not isinstance(said, str) for tool in said.phases.tools.values()}


def _phases_of(operation: OperationSpec) -> Iterator[tuple[str, str]]:
    """Yield the phases of a declared operation with the tools that carry them out."""
    for phase, tool in cast("dict[str, Json]", operation.binding.get("phases", {})).items():
        yield phase, str(tool)


def _effect(hints: Mapping[str, Json]) -> Effect:
    """Return the worst the hints leave possible; what is not said is destructive, as the protocol has it."""
    if hints.get("destructiveHint") is not False:
        return Effect.DELETE
    return Effect.UPDATE if hints.get("openWorldHint") is False else Effect.SEND


def _usable(schema: Json) -> dict[str, Json]:
    if not isinstance(schema, dict) or cast("dict[str, Json]", schema).get("type") != "object":
        raise ValueError("its input schema is not one object")
    usable = deepcopy(cast("dict[str, Json]", schema))
    if problem := reference_problem(usable):
        raise ValueError(problem)
    drop_null(usable)
    for part in parts_of(usable):
        part.pop("discriminator", None)  # it repeats what the union says, and some clients drop the tool for it
        if part.get("default", ...) is None:
            del part["default"]
    drop_far_bounds(usable)
    bound_integers(usable)
    compile_schema(usable)
    return usable


def _output(schema: Json) -> dict[str, Json]:
    """Return the schema of our answer: the server's structured content beside its content blocks."""
    structured: dict[str, Json] = {"type": "object"}
    if isinstance(schema, dict) and reference_problem(cast("dict[str, Json]", schema)) is None:
        structured = deepcopy(cast("dict[str, Json]", schema))
        drop_far_bounds(structured)
        compile_schema(structured)
    inner, definitions = placed(structured, "/properties/structuredContent")
    return {
        "type": "object",
        "properties": {
            "structuredContent": inner,
            "content": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["content"],
        **definitions,
    }
