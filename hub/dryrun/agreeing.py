"""Whether a step of a plan, when its turn has come, would still do what the plan showed of it; pure."""

from collections.abc import Iterable

from connectors.sdk.preview import Change, Preview
from hub.dryrun.compare import drift
from hub.dryrun.plans import PlannedStep


def agrees(planned: PlannedStep, fresh: Preview, touched: Iterable[str]) -> tuple[str, ...]:
    """Return where `fresh`, taken when the step's turn has come, is not what the plan showed; nothing if it agrees.

    What the plan could not show is not compared. Of records that earlier steps of the plan have changed themselves
    (`touched`), it is compared what the step writes, and not what it starts from.
    """
    if not planned.is_previewed:
        return ()
    mine = {*touched}
    shown, now = (_compared(preview, planned.preview, mine) for preview in (planned.preview, fresh))
    return drift(shown, now)


def _compared(preview: Preview, shown: Preview, touched: set[str]) -> Preview:
    """Return `preview` without what earlier steps of the plan account for."""
    written = {change.target: _writes(change) for change in shown.changes}
    changes = tuple(
        change if change.target not in touched else _only(change, written.get(change.target, frozenset()))
        for change in preview.changes
    )
    guards = tuple(guard for guard in preview.preconditions if guard.target not in touched)
    return preview.model_copy(update={"changes": changes, "preconditions": guards})


def _writes(change: Change) -> frozenset[str]:
    before, after = change.before or {}, change.after or {}
    return frozenset(name for name in after if name not in before or before[name] != after[name])


def _only(change: Change, written: frozenset[str]) -> Change:
    after = None if change.after is None else {name: change.after.get(name) for name in sorted(written)}
    return change.model_copy(update={"before": None if change.before is None else {}, "after": after})
