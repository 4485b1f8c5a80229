"""Tools of an MCP server that is a connector itself: what they declare, and their other phases as calls of tools."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pydantic import BaseModel

from connectors.sdk.declaration import COMMIT, OPERATION, Commit, Declared, Phases, is_declared, read_declaration
from connectors.sdk.errors import Conflict, ConnectorError, NotFound, Refused, Unavailable, Unknown, Unreadable
from connectors.sdk.preview import Blast, Change, Precondition, Preview, SideEffect
from connectors.sdk.run import Found, NotFoundYet, Observed, PhaseCall, PhaseResult, Previewed
from connectors.sdk.spec import OperationSpec
from connectors.sdk.vocabulary import Effect, Fidelity, Phase

Json = Any
"""Any JSON value."""

_ERRORS: dict[str, type[ConnectorError]] = {
    error.code: error for error in (NotFound, Refused, Conflict, Unavailable, Unreadable, Unknown)
}
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The tool that carries out a phase, and what it is called with."""

    tool: str
    arguments: Mapping[str, Json]
    meta: Mapping[str, Json] = field(default_factory=dict[str, Json])
    headers: Mapping[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The header that repeats an argument, with the path to it."""


def declarations(tools: Mapping[str, Mapping[str, Json]]) -> dict[str, Declared | str]:
    """Return what each tool declares, by its name, or why that cannot be; tools that declare nothing are left out."""
    found = dict[str, Declared | str]()
    for name, tool in tools.items():
        try:
            declared = read_declaration(_members(tool.get("_meta")))
        except ValueError as error:
            found[name] = str(error)
            continue
        if declared is not None:
            found[name] = _contradiction(declared, tool, tools) or declared
    return found


def declared_effect(tool: Mapping[str, Json]) -> Json:
    """Return the effect that a tool declares, None if it declares none; it may be anything."""
    return _members(_members(tool.get("_meta")).get(OPERATION)).get("effect")


def says_it_writes(hints: Json, effect: Json) -> bool:
    """Return whether a tool says of itself that it changes something, by its annotations or the effect it declares.

    That it destroys counts only where it does not say that it only reads: many servers send what is not said, too.
    """
    said = _members(hints)
    if said.get("readOnlyHint") is not True and said.get("destructiveHint") is True:
        return True
    return said.get("readOnlyHint") is False or effect not in (None, Effect.READ.value)


def _contradiction(declared: Declared, tool: Mapping[str, Json], tools: Mapping[str, Mapping[str, Json]]) -> str | None:
    """Return why what a tool declares cannot be beside what it and the tools of its phases say of themselves."""
    if missing := sorted({*declared.phases.tools.values()} - tools.keys()):
        return f"it names tools that there are not: {', '.join(missing)}"
    if declared.fields.get("effect") == Effect.READ.value and says_it_writes(tool.get("annotations"), None):
        return "it declares that it only reads, and its annotations say that it changes something"
    phases = {name: tools[name] for name in declared.phases.tools.values()}
    if writes := sorted(n for n, one in phases.items() if says_it_writes(one.get("annotations"), declared_effect(one))):
        return f"tools of its phases, which only read, say that they change something: {', '.join(writes)}"
    return None


def fields_of(declared: Declared, tool: Mapping[str, Json]) -> dict[str, Json]:
    """Return the operation's fields, as its spec takes them."""
    return {
        **declared.fields,
        "output_schema": tool.get("outputSchema") or {"type": "object"},
        "observable": declared.phases.observe is not None,
    }


def question(operation: OperationSpec, call: PhaseCall) -> Question | None:
    """Return which tool to call for a phase of an operation, None if there is none."""
    own = Question(
        tool=str(operation.binding["tool"]), arguments=dict(call.arguments), headers=operation.binding["headers"]
    )
    if call.phase is (Phase.READ if operation.effect is Effect.READ else Phase.COMMIT):
        return own if call.phase is Phase.READ or not is_declared(operation) else replace(own, meta=_bound(call))
    aside = Phases.model_validate(operation.binding["phases"]).tools.get(call.phase) if is_declared(operation) else None
    if aside is None:
        return None
    headers = operation.binding.get("phase_headers", {}).get(call.phase, {})
    return Question(tool=aside, arguments=_given(call), headers=headers)


def _bound(call: PhaseCall) -> dict[str, Json]:
    commit = Commit(key=call.idempotency_key or "", guard=call.guard, before=call.before)
    return {COMMIT: commit.model_dump(mode="json")}


def _given(call: PhaseCall) -> dict[str, Json]:
    """Return what the tool of a phase is given."""
    arguments = dict(call.arguments)
    match call.phase:
        case Phase.OBSERVE:
            before = {target: dict(record) for target, record in call.before.items()}
            return {"input": arguments, "output": call.output, "before": before}
        case Phase.LOOKUP:
            return {"input": arguments, "key": call.idempotency_key or ""}
        case _:
            return arguments


def understood(operation: OperationSpec, phase: Phase, structured: Json) -> PhaseResult:
    """Return what the tool of a phase says in its structured content.

    Raises:
        ValueError: it is not what the phase answers.
    """
    if not isinstance(structured, dict):
        raise ValueError("its structured content is no object")  # noqa: TRY004  # what is wrong is what was answered
    members = cast("Mapping[str, Json]", structured)
    match phase:
        case Phase.PREVIEW:
            preview = Preview.model_validate(_known(members))
            fidelity: Fidelity = min(preview.fidelity, operation.fidelity, key=lambda fidelity: fidelity.rank)
            return Previewed(preview=preview.model_copy(update={"fidelity": fidelity}))
        case Phase.OBSERVE:
            return Observed.model_validate({"records": members.get("records")})
        case _:
            found = members.get("found", ...)
            if found is not None and not isinstance(found, dict):
                raise ValueError("a lookup says what it found, or null")
            return NotFoundYet() if found is None else Found(output=cast("dict[str, Json]", found))


def _known(preview: Mapping[str, Json]) -> dict[str, Json]:
    """Return a preview without fields of a later release of the connector's SDK; what stands in records stays."""
    parts: dict[str, type[BaseModel]] = {"changes": Change, "side_effects": SideEffect, "preconditions": Precondition}
    known = _fields_of(Preview, preview)
    for name, part in parts.items():
        if isinstance(known.get(name), list):
            known[name] = [_fields_of(part, one) for one in cast("list[Json]", known[name])]
    return {**known, "blast": _fields_of(Blast, known["blast"])} if "blast" in known else known


def _fields_of(model: type[BaseModel], value: Json) -> Json:
    """Return `value` without members that `model` does not know; what is no object is left for validation to refuse."""
    if not isinstance(value, dict):
        return value
    return {name: member for name, member in _members(value).items() if name in model.model_fields}


def _members(value: Json) -> Mapping[str, Json]:
    """Return the members of a JSON object, none of anything else: a server may send anything."""
    return cast("Mapping[str, Json]", value) if isinstance(value, dict) else {}


def error_of(structured: Json, *, is_safe: bool) -> ConnectorError | None:
    """Return the error that an error result says it is; None if it does not say so."""
    members = _members(structured)
    error = _ERRORS.get(str(members.get("code")))
    if error is None:
        return None
    message = str(members.get("message", "It does not say why."))[:_LONGEST_REASON]
    return Unavailable(message) if is_safe and error is Unknown else error(message)
