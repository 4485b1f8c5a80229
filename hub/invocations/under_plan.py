"""Approving a step under the approval of its plan, and whether that still holds when the step is sent.

It holds for exactly what the plan declares: the tool version and connection it was shown with, and the declared
arguments filled with what the steps before it have answered. What its system shows by then must be what the plan
showed. An undo of a step is approved with the plan, too, once the plan is being taken back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from hub import approvals, dryrun
from hub.audit import EventKind
from hub.core.canonical import canonical_json, digest
from hub.core.errors import HubError
from hub.dryrun import PlannedStep, preview_digest
from hub.invocations.aftermath import taken_back_by
from hub.invocations.decisions import basis, on_record
from hub.invocations.envelope import Status, outward
from hub.invocations.journal import Step, hold, load, move
from hub.invocations.plan_progress import children_of
from hub.invocations.plan_steps import planned_steps
from hub.invocations.refuse import Refusal
from hub.invocations.runtime import Runtime
from hub.invocations.secrecy import opened
from hub.invocations.states import State
from hub.invocations.values import ApprovedBy, Invocation
from hub.policy import Allowed, Obliged
from hub.registry import PublishedTool, arguments_of_any_size, read_current, steps_of, why_closed
from hub.registry.references import NothingThere, filled
from hub.storage import Tx, now

Json = Any
"""Any JSON value."""

NOT_AS_PLANNED: Final = "not_as_planned"
"""How a step is refused that is not, or no longer, what its plan was approved for."""
UNDO_LASTS: Final = timedelta(days=7)
"""How long taking a step back may wait for its commit, say while a kill switch is on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncovered:
    """Policy asks, or asked before, more of this undo than the plan's approval gave: people are asked about it."""


async def approve_by_plan(
    previewed: Invocation, tool: PublishedTool, decision: Allowed | Obliged, runtime: Runtime
) -> Invocation | Refusal | Uncovered:
    """Approve a previewed step, or the undo of one, under its plan; or return why not."""
    assert previewed.part is not None  # noqa: S101  # only steps of plans come here
    async with runtime.database.transaction() as tx:
        await hold(tx, previewed.id)
        plan = await load(tx, previewed.part.plan_id)
        reasons = await _against(tx, plan, previewed, tool, runtime)
        asked_before = previewed.undoes is not None and previewed.question is not None
        if not reasons and (asked_before or not covers(plan, decision)):
            if previewed.undoes is not None:
                return Uncovered()
            reasons = ["policy asks more of it than those who approved the plan gave"]
        if reasons:
            return Refusal(code=NOT_AS_PLANNED, reasons=tuple(reasons))
        return await _approve(tx, plan, previewed, decision, runtime)


async def no_longer_planned(tx: Tx, claimed: Invocation, tool: PublishedTool, runtime: Runtime) -> list[str]:
    """Return why the plan that approved `claimed` does not stand for it any more; nothing if it does."""
    assert claimed.part is not None  # noqa: S101  # it was approved by its plan
    plan = await load(tx, claimed.part.plan_id)
    if claimed.expires_at is None or digest(_terms(plan, claimed, claimed.expires_at)) != claimed.approval_digest:
        return ["the approval on record is for something else"]
    return await _against(tx, plan, claimed, tool, runtime)


def covers(plan: Invocation, decision: Allowed | Obliged) -> bool:
    """Return whether what policy asks of a step was given with the approval of its plan."""
    if isinstance(decision, Allowed):
        return True
    return isinstance(approvals.standing(decision.obligations, votes_on(plan)), approvals.Granted)


def votes_on(plan: Invocation) -> tuple[approvals.Vote, ...]:
    """Return the votes that approved a plan; none if nobody was asked."""
    question = plan.question
    return question.votes if question is not None and question.revision == plan.revision else ()


async def _against(tx: Tx, plan: Invocation, step: Invocation, tool: PublishedTool, runtime: Runtime) -> list[str]:
    """Return what stands against the plan's approval standing for `step`."""
    if plan.state is not State.SENT or plan.preview is None or plan.approval_digest is None:
        return ["its plan is not being carried out"]
    if preview_digest(plan.preview.preview) != plan.preview.digest:
        return ["the plan on record is not the one that was approved"]
    if step.undoes is not None:
        return await _against_undo(tx, plan, step)
    return await _against_step(tx, plan, step, tool, runtime)


async def _against_undo(tx: Tx, plan: Invocation, step: Invocation) -> list[str]:
    assert step.part is not None  # noqa: S101  # see approve_by_plan
    if plan.stop_reason is None:
        return ["its plan is not being taken back"]
    children = await children_of(tx, plan.id)
    done = next((one for one in children if one.id == step.undoes), None)
    if done is None or done.undoes is not None or done.part != step.part:
        return ["it takes back what is no step of this plan"]
    later = [one for one in children if one.undoes is None and one.part is not None and one.part.step > step.part.step]
    if any(_stands(one, children) for one in later):
        return ["a later step of its plan still stands"]
    return []


def _stands(step: Invocation, children: list[Invocation]) -> bool:
    return outward(step).status is Status.DONE and not taken_back_by(step, children)


async def _against_step(tx: Tx, plan: Invocation, step: Invocation, tool: PublishedTool, runtime: Runtime) -> list[str]:
    assert step.part is not None  # noqa: S101  # see approve_by_plan
    planned = next((one for one in planned_steps(plan) if one.number == step.part.step), None)
    if planned is None:
        return ["it is no step of this plan"]
    if plan.stop_reason is not None:
        return ["its plan is being taken back"]
    if plan.expires_at is None or plan.expires_at <= await now(tx):
        return ["the approval of its plan has expired"]
    if closed := await why_plan_closed(tx, plan):
        return [closed]
    return [
        *_other_tool(planned, tool),
        *await _other_arguments(tx, plan, step, tool, runtime),
        *await _other_preview(tx, plan, planned, step),
    ]


async def why_plan_closed(tx: Tx, plan: Invocation) -> str:
    """Return why a plan under way goes no further because of its own tool; empty while it may."""
    generation = plan.connection_generation
    closed = await why_closed(tx, plan.tool_version_id, plan.connection_id, generation=generation)
    return f"its plan goes no further: {closed}" if closed else ""


def _other_tool(planned: PlannedStep, tool: PublishedTool) -> list[str]:
    if tool.version.digest != planned.tool_version_digest:
        return ["the tool has another version than the plan showed"]
    shown = (planned.connection_id, planned.connection_generation)
    if (tool.connection.id, tool.connection.generation) != shown:
        return ["the connection has been changed since the plan was shown"]
    return []


async def _other_arguments(
    tx: Tx, plan: Invocation, step: Invocation, tool: PublishedTool, runtime: Runtime
) -> list[str]:
    try:
        declared = await declared_arguments(tx, plan, step.part.step if step.part else 0, runtime)
        wanted = await arguments_of_any_size(tool, declared)
    except (HubError, NothingThere) as error:
        return [f"its arguments cannot be made of what the plan declares: {error}"]
    if canonical_json(wanted) != canonical_json(opened(step, runtime.keys)):
        return ["its arguments are not those that the plan declares"]
    return []


async def declared_arguments(tx: Tx, plan: Invocation, number: int, runtime: Runtime) -> Json:
    """Return the arguments of a step: as its composite tool declares them, with what has been answered so far.

    Of a read that is what the plan on record shows, and what was approved with it, whatever it would answer now.

    Raises:
        NothingThere: an earlier step has not answered what it needs.
    """
    name, server = plan.tool_name, plan.server
    tool = await read_current(tx, plan.tool_version_id, plan.connection_id, server=server, name=name)
    steps = steps_of(tool.operation)
    answers: dict[str, Json] = {one.name: one.answer for one in planned_steps(plan) if one.is_read}
    answers |= {
        steps[one.part.step - 1].name: one.output
        for one in await children_of(tx, plan.id)
        if one.part is not None and one.undoes is None and outward(one).status is Status.DONE
    }
    known: Mapping[str, Json] = {"input": opened(plan, runtime.keys), "steps": answers}
    return filled(steps[number - 1].arguments, known)


async def _other_preview(tx: Tx, plan: Invocation, planned: PlannedStep, step: Invocation) -> list[str]:
    if step.preview is None:
        return ["there is no preview to compare with the plan"]
    earlier = [one for one in await children_of(tx, plan.id) if one.undoes is None and one.id != step.id]
    same_place = [one for one in earlier if one.connection_id == step.connection_id and one.preview is not None]
    touched = {change.target for one in same_place if one.preview for change in one.preview.preview.changes}
    return list(dryrun.agrees(planned, step.preview.preview, touched))


def _terms(plan: Invocation, step: Invocation, expires_at: datetime) -> dict[str, Json]:
    assert step.part is not None  # noqa: S101  # see approve_by_plan
    assert step.preview is not None  # noqa: S101  # nothing is approved without a preview
    return {
        "plan": plan.id,
        "plan_approval": plan.approval_digest,
        "step": step.part.step,
        "undoes": step.undoes,
        "invocation": step.id,
        "revision": step.revision,
        "intent_digest": step.intent_digest,
        "preview_digest": step.preview.digest,
        "expires_at": expires_at.isoformat(),
    }


async def _approve(
    tx: Tx, plan: Invocation, previewed: Invocation, decision: Allowed | Obliged, runtime: Runtime
) -> Invocation:
    at = await now(tx)
    expires_at = plan.expires_at or at
    if previewed.undoes is not None:
        expires_at = min(at + UNDO_LASTS, previewed.undo_until or at + UNDO_LASTS)
    terms = _terms(plan, previewed, expires_at)
    step = Step(
        to=State.APPROVED,
        event=EventKind.INVOCATION_APPROVED,
        facts={"approved_by": ApprovedBy.PLAN.value, "approval_digest": digest(terms), **on_record(decision)},
        private=basis(decision) | {"terms": terms},
        changes={
            "approval_digest": digest(terms),
            "approved_by": ApprovedBy.PLAN.value,
            "policy_digest": decision.bundle_digest,
            "deadline": expires_at,
            "lease_until": at + timedelta(seconds=runtime.lease_seconds),
        },
    )
    return await move(tx, runtime, previewed, step)
