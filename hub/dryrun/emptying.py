"""Emptying previews: what they showed of records is deleted; how sure they were, how far they reached and what became
of them stays, with the digest that everything rests on.
"""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import select

from connectors.sdk.preview import Preview
from hub.dryrun.plans import PlanPreview
from hub.dryrun.tables import PreviewRow
from hub.storage import Tx

_SHOWN: Final[dict[str, Any]] = {"changes": (), "side_effects": (), "preconditions": (), "not_covered": ()}


async def empty_previews(tx: Tx, invocation_ids: Collection[str]) -> int:
    """Delete what the previews of these invocations showed, and return how many previews that were."""
    rows = (await tx.scalars(select(PreviewRow).where(PreviewRow.invocation_id.in_(invocation_ids)))).all()
    for row in rows:
        row.body = _left_of(row.body).model_dump(mode="json")
        row.transcript, row.differences, row.committed, row.sealed_exchanges = [], [], {}, None
    await tx.flush()
    return len(rows)


async def count_previews(tx: Tx, invocation_ids: Collection[str]) -> int:
    """Return how many previews these invocations have."""
    found = await tx.scalars(select(PreviewRow.revision).where(PreviewRow.invocation_id.in_(invocation_ids)))
    return len(found.all())


async def naming(tx: Tx, target: str, invocation_ids: Collection[str]) -> set[str]:
    """Return those of these invocations of which a preview names the record `target`: to change it, or as a guard."""
    query = select(PreviewRow.invocation_id, PreviewRow.body).where(PreviewRow.invocation_id.in_(invocation_ids))
    return {row.invocation_id for row in (await tx.execute(query)).all() if target in _targets(row.body)}


async def planning_for(tx: Tx, target: str, connection_id: str, invocation_ids: Collection[str]) -> set[str]:
    """Return those of these plans of which a step would change the record `target` of a connection, done or not."""
    query = select(PreviewRow.invocation_id, PreviewRow.body).where(PreviewRow.invocation_id.in_(invocation_ids))
    return {
        row.invocation_id
        for row in (await tx.execute(query)).all()
        for step in row.body.get("steps", ())
        if step["connection_id"] == connection_id and target in _targets(step["preview"])
    }


def _left_of(body: dict[str, Any]) -> Preview:
    """Return what is left of a preview, or of a plan with the previews of its steps."""
    if "steps" not in body:
        return Preview.model_validate(body).model_copy(update=_SHOWN)
    plan = PlanPreview.model_validate(body)
    given: dict[str, Any] = {"arguments": {}, "known": {}, "answer": None}
    steps = tuple(
        step.model_copy(update={**given, "preview": step.preview.model_copy(update=_SHOWN)}) for step in plan.steps
    )
    return plan.model_copy(update={**_SHOWN, "steps": steps})


def _targets(body: dict[str, Any]) -> set[str]:
    return {one["target"] for part in ("changes", "preconditions") for one in body[part]}
