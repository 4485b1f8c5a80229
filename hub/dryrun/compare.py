"""Comparing a prediction: with a newer one (drift), and with what reading back found (track record)."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from connectors.sdk.preview import Change, Preview
from hub.dryrun.records import Verdict, preview_digest

Json = Any
"""Any JSON value."""

Records = Mapping[str, Mapping[str, Json] | None]
"""Records by target as they were read back; None where there is none any more."""

_ABSENT = object()


def drift(approved: Preview, fresh: Preview) -> tuple[str, ...]:
    """Return what changed since `approved` was taken, one sentence each; empty if the same decision would be made."""
    if preview_digest(approved) == preview_digest(fresh):
        return ()
    return tuple(_drift(approved, fresh)) or ("the preview is no longer the same",)


def _drift(approved: Preview, fresh: Preview) -> Iterator[str]:
    then, now = ({change.target: change for change in preview.changes} for preview in (approved, fresh))
    for target in sorted(then.keys() | now.keys()):
        before, after = then.get(target), now.get(target)
        if before is None or after is None:
            yield f"{target}: {'would now change too' if before is None else 'would no longer change'}"
        else:
            yield from _drift_of_record(before, after)
    tokens = {guard.target: guard.token for guard in approved.preconditions}
    for guard in fresh.preconditions:
        if tokens.get(guard.target, guard.token) != guard.token:
            yield f"{guard.target}: somebody has changed it since"
    if approved.blast != fresh.blast:
        yield "the reach (rows, money or parties) is not what it was"


def _drift_of_record(then: Change, now: Change) -> Iterator[str]:
    hidden = {*then.sensitive, *now.sensitive}
    for name, (old, new) in _differing(then.before or {}, now.before or {}, hidden):
        yield f"{then.target}: {name} is now {new}, it was {old}"
    for name, (old, new) in _differing(then.after or {}, now.after or {}, hidden):
        yield f"{then.target}: {name} would become {new} instead of {old}"


def judge(preview: Preview, found: Records, *, volatile: tuple[str, ...]) -> tuple[Verdict, tuple[str, ...]]:
    """Return whether `found` is what `preview` predicted, and every difference.

    Fields that the preview called unknown and fields that the tool declares volatile are not compared. A target that
    could not be read back makes the verdict UNVERIFIABLE, unless another one shows a difference.
    """
    differences = tuple(line for change in preview.changes for line in _misses(change, found, volatile))
    if differences:
        return Verdict.DIVERGED, differences
    if not preview.changes or any(change.target not in found for change in preview.changes):
        return Verdict.UNVERIFIABLE, ()
    return Verdict.VERIFIED, ()


def _misses(change: Change, found: Records, volatile: tuple[str, ...]) -> Iterator[str]:
    if change.target not in found:
        return
    record = found[change.target]
    if change.after is None or record is None:
        if (change.after is None) != (record is None):
            yield f"{change.target}: {'is still there' if record is not None else 'is not there'}"
        return
    ignored = {*change.unknown, *volatile}
    predicted = {name: value for name, value in change.after.items() if name not in ignored}
    found_now = {name: record.get(name, _ABSENT) for name in predicted}
    for name, (expected, real) in _differing(predicted, found_now, {*change.sensitive}):
        yield f"{change.target}: {name} is {real}, the preview said {expected}"


def _differing(
    left: Mapping[str, Json], right: Mapping[str, Json], hidden: AbstractSet[str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the fields that differ, with both values as they may be shown."""
    for name in sorted(left.keys() | right.keys()):
        pair = (left.get(name, _ABSENT), right.get(name, _ABSENT))
        if pair[0] != pair[1]:
            yield name, ("(hidden)", "(hidden)") if name in hidden else (_shown(pair[0]), _shown(pair[1]))


def _shown(value: Json) -> str:
    return "absent" if value is _ABSENT else repr(value)[:80]
