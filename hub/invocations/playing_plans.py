"""Playing a recorded plan with another version of its composite tool: would its steps be called with the same values?

Nothing is asked of any system. What a plan has read is taken from its record; a step that is the same call of the same
version of its tool comes out the same, and everything else is named.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from hub.core.canonical import canonical_json
from hub.core.errors import ArgumentsInvalid
from hub.invocations.plan_steps import planned_steps
from hub.invocations.values import Invocation
from hub.promotions import Likeness, Played
from hub.registry import BoundStep, PublishedTool, canonical_arguments, steps_of
from hub.registry.references import NothingThere, foreseen

Json = Any
"""Any JSON value."""


def play_plan(standing: Invocation, then: PublishedTool, now: PublishedTool) -> Played:
    """Return how the recorded plan `standing`, called as `then`, comes out with the composite tool `now`."""
    likeness, reasons = _play(standing, then, now)
    return Played(invocation_id=standing.id, tool=now.tool.name, likeness=likeness, reasons=reasons)


def _play(standing: Invocation, then: PublishedTool, now: PublishedTool) -> tuple[Likeness, tuple[str, ...]]:
    planned = planned_steps(standing)
    if not planned or standing.erased_at is not None:
        return Likeness.UNSURE, ("It has no plan on record, or not any more.",)
    try:
        given = canonical_arguments(now, dict(standing.arguments))
    except ArgumentsInvalid as refusal:
        return Likeness.DIFFERENT, (f"It refuses the arguments: {refusal.message}",)
    answers = {one.name: one.answer for one in planned if one.is_read}
    before = {"input": dict(standing.arguments), "steps": answers}
    pairs = zip_longest(steps_of(then.operation), steps_of(now.operation))
    try:
        found = tuple(
            f"Step {number}{line}"
            for number, (was, becomes) in enumerate(pairs, 1)
            for line in _compared(was, becomes, before, {**before, "input": given})
        )
    except NothingThere as unknown:
        return Likeness.UNSURE, (f"It uses what was not read then: {unknown}.",)
    return (Likeness.DIFFERENT, found) if found else (Likeness.SAME, ())


def _compared(
    was: BoundStep | None, becomes: BoundStep | None, before: Mapping[str, Json], after: Mapping[str, Json]
) -> Iterator[str]:
    if was is None or becomes is None:
        yield f", {becomes.name}: it is new" if becomes else f", {was.name if was else ''}: it is gone"
        return
    if (was.name, was.tool, was.connector) != (becomes.name, becomes.tool, becomes.connector):
        yield f": {becomes.name} ({becomes.tool}) stands in the place of {was.name} ({was.tool})"
        return
    if was.tool_version_digest != becomes.tool_version_digest:
        yield f", {becomes.name}: its tool {becomes.tool} has another version"
    if was.connection_id != becomes.connection_id:
        yield f", {becomes.name}: it goes over {becomes.connection} instead of {was.connection}"
    if canonical_json(foreseen(was.arguments, before)) != canonical_json(foreseen(becomes.arguments, after)):
        yield f", {becomes.name}: it would be given other values"
