"""Reads of a plan: each is a call of its own, made for the preview and once more before the plan begins.

What later steps use of an answer, as far as whoever called the plan may see it, is kept with the plan. People decide on
that, and no other value flows into a write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connectors.sdk.pointer import resolve
from connectors.sdk.preview import Preview
from connectors.sdk.vocabulary import Fidelity
from hub.core.canonical import digest
from hub.core.errors import HubError
from hub.core.masking import holds_marker
from hub.identity.principals import Caller
from hub.invocations.entering import enter
from hub.invocations.masking import as_seen_by
from hub.invocations.plan_steps import OUTDATED, Unplannable
from hub.invocations.reads import read_to_its_end
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.values import Call, Invocation, Part
from hub.registry import BoundStep, PublishedTool
from hub.registry.references import picked, references_in, step_of

Json = Any
"""Any JSON value."""

MASKED: Final = "masked_value"
"""How a plan is called off that would use a value which whoever called it may not see."""
UNCHANGED: Final = Preview(changes=(), fidelity=Fidelity.EXECUTED)
"""The preview of a read: it was carried out, and changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A read that is a step of the plan `standing`, with its arguments and what later steps use of its answer."""

    standing: Invocation
    caller: Caller
    number: int
    step: BoundStep
    tool: PublishedTool
    arguments: Mapping[str, Json]
    used: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What later steps use of an answer, where it stands in it, and the call that brought it."""

    answer: Json
    read_by: str


def used_of(name: str, steps: Sequence[BoundStep]) -> frozenset[str]:
    """Return where in the answer of the step `name` the values stand that other steps refer to, as JSON pointers."""
    pointers = [pointer for step in steps for _, pointer in references_in(step.arguments)]
    return frozenset(_inside(pointer) for pointer in pointers if step_of(pointer) == name)


def _inside(pointer: str) -> str:
    return "".join(f"/{part}" for part in pointer.split("/")[3:])


async def look_up(lookup: Lookup, runtime: Runtime) -> Looked:
    """Make the read on the way of every call, decided on and recorded, and return what later steps use of its answer.

    Raises:
        Unplannable: it was refused or failed, or a value that is used is hidden from whoever called the plan.
    """
    where = f"Step {lookup.number}, {lookup.step.name}"
    try:
        read = await _made(lookup, runtime)
    except HubError as error:
        raise Unplannable(error.code, f"{where}: {error.message}") from error
    if read.state is not State.SUCCEEDED:
        code = read.error_code or read.state.value.lower()
        raise Unplannable(code, f"{where}: {read.error_message or 'it brought no answer'}")
    if read.tool_version_digest != lookup.step.tool_version_digest:
        raise Unplannable(OUTDATED, f"{where}: its tool has just been changed; call again.")
    seen = (await as_seen_by(lookup.caller, read, runtime)).output
    for pointer in sorted(lookup.used):
        if holds_marker(resolve(seen, pointer)):
            told = f"{where}: you may not see {pointer or 'its answer'}, so no step can use it. Nothing was changed."
            raise Unplannable(MASKED, told)
    answer = picked(seen, lookup.used)
    try:
        digest(answer)
    except HubError as error:
        raise Unplannable(error.code, f"{where}: {error.message}") from error
    return Looked(answer=answer, read_by=read.id)


async def _made(lookup: Lookup, runtime: Runtime) -> Invocation:
    standing, tool = lookup.standing, lookup.tool
    call = Call(
        caller=replace(lookup.caller, scopes=frozenset(tool.needed_scopes())),  # see `plan_run`
        server=standing.server,
        tool=tool.name,
        arguments=dict(lookup.arguments),
        trace_id=standing.trace_id,
        claims=standing.claims,
        part=Part(plan_id=standing.id, step=lookup.number),
    )
    entered = await enter(call, runtime)
    if isinstance(entered, Invocation):
        return entered
    return await read_to_its_end(entered.request, entered.decision, runtime)
