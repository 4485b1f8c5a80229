"""A plan as the approval page and the page of its invocation show it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from connectors.sdk.vocabulary import Fidelity
from hub.dryrun import PlannedStep
from hub.invocations.plan_steps import planned_steps
from hub.invocations.states import State
from hub.invocations.values import Invocation, StepProgress, StepStatus
from hub.web.comparison import comparison
from hub.web.inert import inert, inert_name
from hub.web.state_words import FOUND_NOT_DONE, PLAN_TAKEN_BACK, PLAN_UNDER_WAY, STATES
from hub.web.views.plan import ArgumentLine, PlanBox, PlannedLine, ProgressLine
from hub.web.wording import FIDELITIES, REVERSALS, TIERS, Word, effect_as_known

Json = Any
"""Any JSON value."""

STATUSES: Final[Mapping[StepStatus, Word]] = {
    StepStatus.AHEAD: Word(label="not begun", meaning=""),
    StepStatus.UNDER_WAY: Word(label="under way", meaning="", tone="info"),
    StepStatus.IN_DOUBT: Word(label="in doubt", meaning="", tone="bad"),
    StepStatus.DONE: Word(label="done", meaning="", tone="good"),
    StepStatus.NOT_DONE: Word(label="not done", meaning="", tone="bad"),
    StepStatus.TAKING_BACK: Word(label="being taken back", meaning="", tone="warn"),
    StepStatus.TAKEN_BACK: Word(label="taken back", meaning="", tone="neutral"),
    StepStatus.STANDS: Word(label="done, and stands", meaning="", tone="bad"),
}


def plan_box(steps: tuple[PlannedStep, ...]) -> PlanBox | None:
    """Return the steps of a plan as they would be carried out; None: it is no plan."""
    if not steps:
        return None
    return PlanBox(steps=tuple(_planned(step, steps) for step in steps), if_it_fails=_if_it_fails(steps))


def _planned(step: PlannedStep, steps: tuple[PlannedStep, ...]) -> PlannedLine:
    numbers = {one.name: one.number for one in steps}
    return PlannedLine(
        number=step.number,
        name=step.name,
        tool=step.tool,
        title=inert_name(step.title),
        system=inert_name(step.connection),
        tier=TIERS[step.tier],
        effect=effect_as_known(step.effect, is_assumed=step.is_effect_assumed),
        fidelity=FIDELITIES[step.preview.fidelity],
        undo=REVERSALS[step.reversal],
        arguments=tuple(_argument(name, value, step, numbers) for name, value in step.arguments.items()),
        changes=tuple(comparison(change) for change in step.preview.changes) if step.is_previewed else (),
        is_blind=not step.is_read and step.preview.fidelity is Fidelity.NONE,
        is_in_turn=not step.is_previewed,
        why_no_preview=inert(step.why_contract) if step.why_contract else None,
        answer=tuple(_answered(step.answer, "")) if step.is_read else (),
        read_url=f"/invocations/{step.read_by}" if step.is_read else "",
        is_final=_is_final(step),
    )


def _argument(name: str, value: Json, step: PlannedStep, numbers: Mapping[str, int]) -> ArgumentLine:
    source = step.waits_for.get(name)
    if source is not None:
        return ArgumentLine(name=inert_name(name), value=None, known_after=f"step {numbers.get(source, 0)}, {source}")
    read = next((one for place, one in step.brings.items() if place.split("/")[1] == name), None)
    read_by = "" if read is None else f"step {numbers.get(read, 0)}, {read}"
    return ArgumentLine(name=inert_name(name), value=inert(_text(value)), read_by=read_by)


def _answered(value: Json, place: str) -> Iterator[ArgumentLine]:
    """Yield each value of an answer with where it stands in it."""
    if isinstance(value, Mapping):
        for name, member in cast("Mapping[str, Json]", value).items():
            yield from _answered(member, f"{place}/{name}")
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[Json]", value)):
            yield from _answered(item, f"{place}/{number}")
    elif value is not None:
        yield ArgumentLine(name=inert_name(place), value=inert(_text(value)))


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_final(step: PlannedStep) -> bool:
    return not step.undone_by and not step.is_read


def _if_it_fails(steps: tuple[PlannedStep, ...]) -> str:
    final = [step for step in steps if _is_final(step)]
    if not final:
        return (
            "If a step fails, the steps before it are taken back in reverse, each by its own undo and only while "
            "nobody else has changed the records since. Approving the plan approves that, too."
        )
    last = final[-1]
    return (
        f"If a step fails, the steps before it are taken back in reverse, as far as they can be: step {last.number}, "
        f"{last.name}, cannot be taken back, and once it is done, it and every step before it stay. Approving the plan "
        "approves that, too."
    )


def progress_lines(invocation: Invocation) -> tuple[ProgressLine, ...]:
    """Return how the steps of a plan stand; nothing before it has begun, or if it is no plan."""
    return tuple(_progress(one) for one in invocation.progress)


def _progress(one: StepProgress) -> ProgressLine:
    return ProgressLine(
        number=one.number,
        name=one.name,
        tool=one.tool,
        status=STATUSES[one.status],
        url=f"/invocations/{one.invocation_id}" if one.invocation_id else "",
        undo_url=f"/invocations/{one.undo_id}" if one.undo_id else "",
        message=inert(one.message) if one.message else None,
    )


def state_word(invocation: Invocation) -> Word:
    """Return where an invocation stands; a plan under way sends nothing itself, its steps do."""
    if invocation.state is State.RESOLVED_BY_HUMAN and invocation.error_code is not None:
        return FOUND_NOT_DONE
    if invocation.state is not State.SENT or not planned_steps(invocation):
        return STATES[invocation.state]
    return PLAN_UNDER_WAY if invocation.stop_reason is None else PLAN_TAKEN_BACK
