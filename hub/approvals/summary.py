"""The decision summary: what will happen, built from the effect alone and shown alike on every channel."""

from collections.abc import Mapping
from typing import Any

from connectors.sdk.preview import Change, Preview
from connectors.sdk.vocabulary import Tier
from hub.dryrun import PlannedStep, PlanPreview
from hub.registry import PublishedTool

Json = Any
"""Any JSON value."""


def decision_summary(tool: PublishedTool, preview: Preview, tier: Tier) -> dict[str, Json]:
    """Return the locale-free summary of committing `preview` with `tool` by a call of `tier`.

    Nothing that the agent wrote is in it.
    """
    operation = tool.version.spec
    return {
        "tool": tool.name,
        "title": operation.title,
        "connector": tool.connector.name,
        "connection": tool.connection.name,
        "environment": tool.environment,
        "tier": tier.value,
        "effect": operation.effect.value,
        "fidelity": preview.fidelity.value,
        "reversal": operation.reversal.value,
        "changes": [_change(change) for change in preview.changes],
        "side_effects": [effect.model_dump(mode="json") for effect in preview.side_effects],
        "blast": preview.blast.model_dump(mode="json"),
        **({"steps": [_step(step) for step in preview.steps]} if isinstance(preview, PlanPreview) else {}),
    }


def _step(step: PlannedStep) -> dict[str, Json]:
    """Return what is told of one step of a plan; what a person agrees to is this very step, by its intent digest."""
    return {
        "number": step.number,
        "name": step.name,
        "tool": step.tool,
        "title": step.title,
        "connection": step.connection,
        "tier": step.tier.value,
        "effect": step.effect.value,
        "fidelity": step.preview.fidelity.value,
        "reversal": step.reversal.value,
        "arguments": dict(step.arguments),
        "waits_for": dict(step.waits_for),
        "intent_digest": step.intent_digest,
        "changes": [_change(change) for change in step.preview.changes],
        **({"answer": step.answer} if step.is_read else {}),
    }


def _change(change: Change) -> dict[str, Json]:
    before, after = change.before or {}, change.after or {}
    names = sorted(name for name in before.keys() | after.keys() if _field(before, name) != _field(after, name))
    return {
        "target": change.target,
        "effect": change.effect.value,
        "fields": {name: {"before": before.get(name), "after": after.get(name)} for name in names},
        "unknown": list(change.unknown),
    }


def _field(record: Mapping[str, Json], name: str) -> tuple[bool, Json]:
    return name in record, record.get(name)
