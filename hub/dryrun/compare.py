"""Comparing a prediction: with a newer one (drift), and with what reading back found (track record)."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from connectors.sdk.preview import Change, Preview
from hub.dryrun.plans import PlanPreview
from hub.dryrun.records import PreviewRecord, Records, Verdict, preview_digest

Json = Any
"""Any JSON value."""

_ABSENT = object()
_SHORT, _WHOLE = 80, 4000
"""How much of a value a message says, and a page shows, in characters."""


def drift(approved: Preview, fresh: Preview, *, with_values: bool = False) -> tuple[str, ...]:
    """Return what changed since `approved` was taken, one sentence each; empty if the same decision would be made.

    The sentences name records and fields: nobody can mask a sentence for whoever reads it. `with_values` they are for
    the authors of connectors alone, who try them on records of their own.
    """
    if preview_digest(approved) == preview_digest(fresh):
        return ()
    return tuple(_drift(approved, fresh, with_values=with_values)) or ("the preview is no longer the same",)


def would_change_the_same(then: Preview, now: Preview) -> bool:
    """Return whether two previews set the same fields from the same values to the same values, and reach as far.

    What differs is then beside the point of the decision: fields that are not written, or the version of the record.
    """
    return _decided_on(then) == _decided_on(now) and now.fidelity.rank >= then.fidelity.rank


def _decided_on(preview: Preview) -> list[Json]:
    changes = [(change.target, change.effect, change.unknown, _written(change)) for change in preview.changes]
    guarded = [guard.target for guard in preview.preconditions]
    steps = preview.intents if isinstance(preview, PlanPreview) else []
    return [sorted(changes, key=str), preview.side_effects, preview.blast, preview.not_covered, guarded, steps]


def _written(change: Change) -> Json:
    """Return what a change writes: all of a record that comes or goes, of another the fields that differ."""
    if change.before is None or change.after is None:
        return change.before, change.after
    names = sorted({*change.before, *change.after} - {*change.unknown})
    pairs = {name: (change.before.get(name, _ABSENT), change.after.get(name, _ABSENT)) for name in names}
    return [(name, was, becomes) for name, (was, becomes) in pairs.items() if was != becomes]


def _drift(approved: Preview, fresh: Preview, *, with_values: bool) -> Iterator[str]:
    then, now = ({change.target: change for change in preview.changes} for preview in (approved, fresh))
    for target in sorted(then.keys() | now.keys()):
        before, after = then.get(target), now.get(target)
        if before is None or after is None:
            yield f"{target}: {'would now change too' if before is None else 'would no longer change'}"
        else:
            yield from _drift_of_record(before, after, with_values=with_values)
    yield from _read_otherwise(approved, fresh)
    tokens = {guard.target: guard.token for guard in approved.preconditions}
    for guard in fresh.preconditions:
        if tokens.get(guard.target, guard.token) != guard.token:
            yield f"{guard.target}: somebody has changed it since"
    if approved.blast != fresh.blast:
        yield "the reach (rows, money or parties) is not what it was"


def _read_otherwise(approved: Preview, fresh: Preview) -> Iterator[str]:
    """Yield of which reads of a plan the answer is another one, as far as later steps use it."""
    then, now = (preview.steps if isinstance(preview, PlanPreview) else () for preview in (approved, fresh))
    for was, becomes in zip(then, now, strict=False):
        if was.is_read and was.name == becomes.name and was.answer != becomes.answer:
            yield f"step {was.number}, {was.name}: what it read, and later steps use, is not what it was"


def _drift_of_record(then: Change, now: Change, *, with_values: bool) -> Iterator[str]:
    hidden = {*then.sensitive, *now.sensitive}
    for name, (old, new) in _differing(then.before or {}, now.before or {}, hidden):
        yield f"{then.target}: {name} " + (f"is now {new}, it was {old}" if with_values else "is not what it was")
    for name, (old, new) in _differing(then.after or {}, now.after or {}, hidden):
        becomes = f"would become {new} instead of {old}" if with_values else "would become something else"
        yield f"{then.target}: {name} {becomes}"


def judge(
    preview: Preview, found: Records, *, volatile: tuple[str, ...], with_values: bool = False
) -> tuple[Verdict, tuple[str, ...]]:
    """Return whether `found` is what `preview` predicted, and every difference, `with_values` as in `drift`.

    Fields that the preview called unknown and fields that the tool declares volatile are not compared. A target that
    could not be read back makes the verdict UNVERIFIABLE, unless another one shows a difference.
    """
    differences = tuple(
        line for change in preview.changes for line in _misses(change, found, volatile, with_values=with_values)
    )
    if differences:
        return Verdict.DIVERGED, differences
    if not preview.changes or any(change.target not in found for change in preview.changes):
        return Verdict.UNVERIFIABLE, ()
    return Verdict.VERIFIED, ()


def named_in(preview: Preview, found: Records) -> dict[str, dict[str, Json] | None]:
    """Return of `found` what `preview` spoke of: nothing more is kept than people were shown."""
    names = {
        change.target: {*(change.before or {}), *(change.after or {}), *change.unknown} for change in preview.changes
    }
    return {
        target: None if record is None else {name: record[name] for name in record if name in names[target]}
        for target, record in found.items()
        if target in names
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeWay:
    """One field that is not as a commit left it: before the commit, after it, and now; each as it may be shown.

    `field` is empty where the whole record is gone, or has come back. As a sentence it names the field alone: values
    are masked for whoever looks, sentences are not.
    """

    target: str
    field: str
    before: str
    committed: str
    now: str

    def __str__(self) -> str:
        if not self.field:
            return f"{self.target} was {self.committed} when it was written, and is {self.now} now"
        return f"{self.target}: {self.field} is not as we made it"


def moved_since(record: PreviewRecord, found: Records, *, volatile: tuple[str, ...]) -> tuple[ThreeWay, ...] | None:
    """Return what of the records in `found` is not as the commit of `record` left it; None if that cannot be told.

    Fields that the tool declares volatile are not compared. Where the records could not be read back after the
    commit, what its preview predicted stands for them.
    """
    lines = list[ThreeWay]()
    for change in record.preview.changes:
        if change.target not in found:
            return None
        left, ignored = _left_behind(record, change), set(volatile)
        if change.target not in record.committed:
            ignored |= {*change.unknown}
        lines += _moved(change, left, found[change.target], ignored)
    return tuple(lines) if record.preview.changes else None


def _left_behind(record: PreviewRecord, change: Change) -> Mapping[str, Json] | None:
    return record.committed.get(change.target, change.after)


def _moved(
    change: Change, left: Mapping[str, Json] | None, now: Mapping[str, Json] | None, ignored: AbstractSet[str]
) -> Iterator[ThreeWay]:
    before = change.before
    if left is None or now is None:
        if (left is None) != (now is None):
            there = ["there" if one is not None else "not there" for one in (before, left, now)]
            yield ThreeWay(target=change.target, field="", before=there[0], committed=there[1], now=there[2])
        return
    known = {name: value for name, value in left.items() if name not in ignored}
    hidden = {*change.sensitive}
    found = {name: now.get(name, _ABSENT) for name in known}
    for name, (ours, theirs) in _differing(known, found, hidden, longest=_WHOLE):
        was = "(hidden)" if name in hidden else _shown((before or {}).get(name, _ABSENT), _WHOLE)
        yield ThreeWay(target=change.target, field=name, before=was, committed=ours, now=theirs)


def _misses(change: Change, found: Records, volatile: tuple[str, ...], *, with_values: bool) -> Iterator[str]:
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
        said = f"is {real}, the preview said {expected}" if with_values else "is not what the preview said"
        yield f"{change.target}: {name} {said}"


def _differing(
    left: Mapping[str, Json], right: Mapping[str, Json], hidden: AbstractSet[str], *, longest: int = _SHORT
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the fields that differ, with both values as they may be shown."""
    for name in sorted(left.keys() | right.keys()):
        pair = (left.get(name, _ABSENT), right.get(name, _ABSENT))
        if pair[0] != pair[1]:
            yield (
                name,
                ("(hidden)", "(hidden)") if name in hidden else (_shown(pair[0], longest), _shown(pair[1], longest)),
            )


def _shown(value: Json, longest: int) -> str:
    return "absent" if value is _ABSENT else repr(value)[:longest]
