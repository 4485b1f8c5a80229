"""The steps of a planned invocation, each as if it were called by itself: what policy and people are asked about."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.dryrun import PlannedStep, PlanPreview
from hub.invocations.values import Invocation
from hub.registry import PublishedTool, read_current
from hub.storage import Tx

Json = Any
"""Any JSON value."""


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
    """Return the steps of a planned invocation, each with its own preview and the arguments known so far."""
    found = list[Alone]()
    for planned in planned_steps(standing):
        name, server = planned.tool, standing.server
        tool = await read_current(tx, planned.tool_version_id, planned.connection_id, server=server, name=name)
        assert standing.preview is not None  # noqa: S101  # it is what was planned
        record = replace(standing.preview, preview=planned.preview)
        call = replace(as_step(standing, tool, planned.known), preview=record)
        found.append(Alone(planned=planned, call=call, tool=tool))
    return found


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
