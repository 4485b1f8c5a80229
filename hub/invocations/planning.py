"""The preview of a plan: each step's own preview where everything is known, and what its contract tells where not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.sdk.errors import Unavailable as UpstreamUnavailable
from connectors.sdk.preview import Preview
from connectors.sdk.rules import broken_rules
from connectors.sdk.vocabulary import Reversal
from hub.core.errors import ArgumentsInvalid, HubError
from hub.dryrun import PlannedStep, PlanPreview, contract_preview
from hub.execution import Failed, Passage, Passed, Previewed, PreviewOutcome, Ran, TranscriptEntry, Violation
from hub.identity.principals import Caller
from hub.invocations.asking import ask_check, unveiled
from hub.invocations.callers import caller_of
from hub.invocations.plan_reads import UNCHANGED, Looked, Lookup, look_up, used_of
from hub.invocations.plan_steps import OUTDATED, Unplannable, as_step
from hub.invocations.request import intent_digest
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import Bound, opened
from hub.invocations.values import Invocation
from hub.registry import BoundStep, PublishedTool, arguments_of_any_size, is_effect_assumed, quarantine, steps_of
from hub.registry.references import NothingThere, foreseen, references_in, step_of, without_references

Json = Any
"""Any JSON value."""

_NOTHING_THERE: Final = "nothing_there"


@dataclass(slots=True, kw_only=True)
class _Trace:
    """What the previews of all steps have asked for together."""

    transcript: list[TranscriptEntry] = field(default_factory=list[TranscriptEntry])
    levels: list[str] = field(default_factory=list[str])
    latency_ms: int = 0

    def note(self, passage: Passage) -> None:
        self.transcript += passage.transcript
        self.levels.append(passage.sandbox_level)
        self.latency_ms += passage.latency_ms

    @property
    def passage(self) -> Passage:
        level = min(self.levels, key=_rank, default="not run")
        return Passage(transcript=tuple(self.transcript), sandbox_level=level, latency_ms=self.latency_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """One step, with the tool that its plan is bound to and the arguments as far as they are known."""

    number: int
    step: BoundStep
    tool: PublishedTool
    arguments: Mapping[str, Json]
    waits_for: Mapping[str, str]
    brings: Mapping[str, str]


async def preview_plan(standing: Invocation, tool: PublishedTool, runtime: Runtime) -> Ran[PreviewOutcome]:
    """Return what carrying out the steps of `tool` would do, in their order, as far as it can be known beforehand."""
    trace, planned, steps = _Trace(), list[PlannedStep](), steps_of(tool.operation)
    async with runtime.database.reading() as tx:
        caller = await caller_of(tx, standing)
    try:
        for number, step in enumerate(steps, 1):
            answers = {one.name: one.answer for one in planned if one.is_read}
            at = _Place(number=number, step=step, standing=standing, caller=caller, answers=answers)
            turn = await _turn(at, runtime)
            if not step.is_read:
                planned.append(await _planned(standing, turn, trace, runtime))
                continue
            looked = await look_up(_lookup(at, turn, used_of(step.name, steps)), runtime)
            planned.append(_as_read(standing, turn, looked))
    except Unplannable as error:
        return Ran(outcome=Failed(code=error.code, message=error.message), passage=trace.passage)
    return Ran(outcome=Previewed(preview=PlanPreview.of(planned)), passage=trace.passage)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A step where it stands in its plan: after reads that have brought `answers`."""

    number: int
    step: BoundStep
    standing: Invocation
    caller: Caller
    answers: Mapping[str, Json]


async def _turn(at: _Place, runtime: Runtime) -> _Turn:
    number, step, standing, caller = at.number, at.step, at.standing, at.caller
    known = {"input": opened(standing, runtime.keys), "steps": at.answers}
    try:
        found = await step_tool(step, standing, caller, runtime)
        arguments = foreseen(step.arguments, known)
        waits_for = {place.split("/")[1]: step_of(where) or "" for place, where in references_in(arguments)}
        if not waits_for:
            arguments = await arguments_of_any_size(found, arguments)
    except ArgumentsInvalid as error:
        raise Unplannable(error.code, f"Step {number}, {step.name}: {error.message}") from error
    except HubError as error:
        raise Unplannable(error.code, f"Step {number}, {step.name}, cannot be taken: {error.message}") from error
    except NothingThere as error:
        raise Unplannable(_NOTHING_THERE, f"Step {number}, {step.name}, cannot be taken: {error}") from error
    sources = {place: step_of(where) or "" for place, where in references_in(step.arguments)}
    brings = {place: name for place, name in sources.items() if name in at.answers}
    return _Turn(number=number, step=step, tool=found, arguments=arguments, waits_for=waits_for, brings=brings)


def _lookup(at: _Place, turn: _Turn, used: frozenset[str]) -> Lookup:
    return Lookup(
        standing=at.standing,
        caller=at.caller,
        number=at.number,
        step=at.step,
        tool=turn.tool,
        arguments=turn.arguments,
        used=used,
    )


async def step_tool(step: BoundStep, standing: Invocation, caller: Caller, runtime: Runtime) -> PublishedTool:
    """Return the tool of a step as the server offers it now to whoever called the plan.

    Raises:
        NotFound: the caller may not call it there.
        Unplannable: it has changed since the composite tool was declared.
    """
    connection_id, server = step.connection_id, standing.server
    name = await runtime.catalog.published_name(step.tool, connection_id, server=server, caller=caller)
    async with runtime.database.reading() as tx:
        found = await runtime.catalog.current(tx, name, server=server, caller=caller)
    if found.version.digest != step.tool_version_digest:
        raise Unplannable(
            OUTDATED,
            f"The tool {step.tool!r} of the step {step.name!r} has changed since {standing.tool_name!r} was declared; "
            "its owner declares it again. Nothing was changed.",
        )
    return found


async def _planned(standing: Invocation, turn: _Turn, trace: _Trace, runtime: Runtime) -> PlannedStep:
    known = without_references(turn.arguments)
    preview, why = await _foreseen(standing, turn, known, trace, runtime)
    return _as_planned(standing, turn, known, preview).model_copy(update={"why_contract": why})


def _as_read(standing: Invocation, turn: _Turn, looked: Looked) -> PlannedStep:
    """Return a read as it stands in the plan: with what it brought, and nothing to approve or to take back."""
    brought = {
        "answer": looked.answer,
        "read_by": looked.read_by,
        "source": f"{turn.tool.connector.name}.{turn.tool.operation.name}",
        "is_trusted": turn.tool.tool.is_trusted,
        "reversal": Reversal.EXACT,
    }
    return _as_planned(standing, turn, turn.arguments, UNCHANGED).model_copy(update=brought)


def _as_planned(standing: Invocation, turn: _Turn, known: Mapping[str, Json], preview: Preview) -> PlannedStep:
    tool, connection = turn.tool, turn.tool.connection
    compensation = tool.operation.compensation
    return PlannedStep(
        number=turn.number,
        name=turn.step.name,
        tool=tool.name,
        title=tool.title,
        connector=tool.connector.name,
        connection=connection.name,
        connection_id=connection.id,
        connection_generation=connection.generation,
        tool_id=tool.tool.id,
        tool_version_id=tool.version.id,
        tool_version_digest=tool.version.digest,
        effect=tool.effect,
        is_effect_assumed=is_effect_assumed(tool.operation),
        tier=tool.tier_for(known),
        reversal=_reversal(tool),
        undone_by=compensation.tool if compensation else "",
        residue=tool.operation.residue,
        arguments=turn.arguments,
        known=known,
        waits_for=turn.waits_for,
        intent_digest=intent_digest(
            tool,
            agent_id=standing.agent_id,
            on_behalf_of_id=standing.on_behalf_of_id,
            arguments=Bound(shown=dict(turn.arguments), bound_by=None),
            undoes=None,
        ),
        preview=preview,
        brings=turn.brings,
    )


def _reversal(tool: PublishedTool) -> Reversal:
    declared = tool.operation.reversal
    return Reversal.PARTIAL if declared is Reversal.EXACT and not tool.undo_proven else declared


async def _foreseen(
    standing: Invocation, turn: _Turn, known: Mapping[str, Json], trace: _Trace, runtime: Runtime
) -> tuple[Preview, str]:
    """Return the preview of one step, and why it is no more than its contract, if so.

    A later step may need what the steps before it do, so what its system has against it now is told, and does not yet
    end the plan. What it has against the first step does.
    """
    target = f"{turn.tool.connector.name}/{turn.tool.operation.name}"
    contract = contract_preview(target, turn.tool.effect, known, turn.waits_for)
    if turn.waits_for:
        return contract, ""
    outcome = await _tried(standing, turn, trace, runtime)
    match outcome:
        case Previewed(preview=preview):
            return preview, ""
        case Failed(code=UpstreamUnavailable.code, message=message):
            raise Unplannable(UpstreamUnavailable.code, f"Step {turn.number}, {turn.step.name}: {message}")
        case Failed(message=message) if turn.number > 1:
            return contract, f"its system says now, before the steps ahead of it are done: {message}"
        case Failed(code=code, message=message):
            raise Unplannable(code, f"Step {turn.number}, {turn.step.name}: {message}")
        case Violation(message=message):
            async with runtime.database.transaction() as tx:
                reason = f"It tried to write during a check or a preview: {message}"
                await quarantine(tx, turn.tool.tool.id, reason, runtime.authority)
            raise Unplannable("preview_tried_to_write", f"Step {turn.number}, {turn.step.name}: {message}")
        case _:
            raise AssertionError(f"a preview cannot come to {outcome}")


async def _tried(standing: Invocation, turn: _Turn, trace: _Trace, runtime: Runtime) -> PreviewOutcome:
    alone = as_step(standing, turn.tool, turn.arguments)
    checked = await ask_check(alone, turn.tool, runtime)
    trace.note(checked.passage)
    if not isinstance(checked.outcome, Passed):
        return checked.outcome
    seen = await unveiled(alone, turn.tool, runtime)
    trace.note(seen.passage)
    if isinstance(seen.outcome, Previewed):
        shown = seen.outcome.preview.model_dump(mode="json")
        if broken := broken_rules(turn.tool.tool.rules, dict(turn.arguments), shown):
            raise Unplannable("breaks_business_rule", f"Step {turn.number}, {turn.step.name}: {'; '.join(broken)}")
    return seen.outcome


def _rank(level: str) -> int:
    return {"not run": 3, "full": 2, "direct": 2, "partial": 1}.get(level.partition("(")[0], 0)
