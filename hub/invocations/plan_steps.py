"""The steps of a planned invocation, each as if it were called by itself: what policy and people are asked about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from hub.dryrun import PlannedStep, PlanPreview
from hub.invocations.provenance import Origin, Trace
from hub.invocations.values import Invocation
from hub.registry import PublishedTool, read_current
from hub.storage import Tx

Json = Any
"""Any JSON value."""


OUTDATED: Final = "composite_outdated"
"""How a plan is called off of which a step's tool is not the version that its composite tool was declared with."""


class Unplannable(Exception):
    """A step cannot be planned, and so nothing is: `code` and the message say why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """One step of a plan: as it was planned, as a call of its own, and the very tool it was planned with."""

    planned: PlannedStep
    call: Invocation
    tool: PublishedTool


def is_plan(standing: Invocation) -> bool:
    """Return whether an invocation is one of a composite tool that has been previewed."""
    return planned_steps(standing) != ()


def planned_steps(standing: Invocation) -> tuple[PlannedStep, ...]:
    """Return the steps that the newest preview of an invocation has planned; of other tools there are none."""
    preview = standing.preview.preview if standing.preview else None
    return preview.steps if isinstance(preview, PlanPreview) else ()


async def steps_alone(tx: Tx, standing: Invocation) -> list[Alone]:
    """Return the writes of a planned invocation, each with its own preview and the arguments known so far.

    Its reads were decided on when they were made, as any read is.
    """
    found, steps = list[Alone](), planned_steps(standing)
    for planned in steps:
        if planned.is_read:
            continue
        name, server = planned.tool, standing.server
        tool = await read_current(tx, planned.tool_version_id, planned.connection_id, server=server, name=name)
        assert standing.preview is not None  # noqa: S101  # it is what was planned
        record = replace(standing.preview, preview=planned.preview)
        provenance = (*standing.provenance, *(one.as_json() for one in flows_into(planned, steps)))
        call = replace(as_step(standing, tool, planned.known), preview=record, provenance=provenance)
        found.append(Alone(planned=planned, call=call, tool=tool))
    return found


def flows_into(planned: PlannedStep, steps: Sequence[PlannedStep]) -> list[Trace]:
    """Return what of a step's arguments its plan has read, and by which tool."""
    reads = {one.name: one for one in steps if one.is_read}
    return [
        Trace(argument=place, origin=Origin.RESULT, tool=reads[name].source, is_trusted=reads[name].is_trusted)
        for place, name in planned.brings.items()
        if name in reads
    ]


def as_step(standing: Invocation, tool: PublishedTool, arguments: Mapping[str, Json]) -> Invocation:
    """Return `standing` as if it called one of its steps by itself: to ask about that step, never to be recorded."""
    return replace(
        standing,
        tool_name=tool.name,
        connector=tool.connector.name,
        tool_id=tool.tool.id,
        tool_version_id=tool.version.id,
        tool_version_digest=tool.version.digest,
        connection_id=tool.connection.id,
        connection_generation=tool.connection.generation,
        effect=tool.effect,
        tier=tool.tier_for(arguments),
        arguments=arguments,
        sealed_arguments=None,
        sealed_before=None,
        preview=None,
    )
