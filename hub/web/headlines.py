"""The sentence that says what will happen: made from the effect of a preview, never from anything an agent wrote."""

from collections import Counter
from typing import Final

from connectors.sdk.preview import Change, Preview
from connectors.sdk.vocabulary import Effect
from hub.dryrun import PlanPreview
from hub.web.field_words import FieldWords
from hub.web.side_by_side import member

_VERBS: Final = {
    Effect.READ: "Read",
    Effect.CREATE: "Create",
    Effect.UPDATE: "Change",
    Effect.DELETE: "Delete",
    Effect.SEND: "Send",
}
_FIELDS_NAMED: Final = 3


def headline(preview: Preview | None, *, title: str, system: str, words: FieldWords | None = None) -> str:
    """Return what committing would do, in one sentence; `title` is the tool's, for what changes no record.

    Fields are called as `words` has it, or else by their own names.
    """
    if isinstance(preview, PlanPreview):
        return f"{title}: {len(preview.steps)} steps in {_listed(sorted({one.connection for one in preview.steps}))}"
    if preview is None or not preview.changes:
        return f"{title} in {system}"
    if len(preview.changes) == 1:
        return f"{_one(preview.changes[0], words)} in {system}"
    counted = Counter(change.effect for change in preview.changes)
    parts = [f"{_VERBS[effect].lower()} {count} {_records(count)}" for effect, count in counted.items()]
    sentence = " and ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]} in {system}"


def _one(change: Change, words: FieldWords | None) -> str:
    match change.effect:
        case Effect.CREATE:
            return f"Create a record {change.target}"
        case Effect.UPDATE:
            names = [_called(name, words) for name in _changed(change)]
            return f"Change {_listed(names)} of {change.target}" if names else f"Change {change.target}"
        case _:
            return f"{_VERBS[change.effect]} {change.target}"


def _changed(change: Change) -> list[str]:
    before, after = change.before or {}, change.after or {}
    absent = object()
    names = {name for name in {**before, **after} if before.get(name, absent) != after.get(name, absent)}
    return sorted(names - set(change.unknown)) or sorted(change.unknown)


def _called(name: str, words: FieldWords | None) -> str:
    if words is None:
        return name
    said = words.called(member(name))
    return said if said[:2].isupper() else f"{said[:1].lower()}{said[1:]}"


def _listed(names: list[str]) -> str:
    if len(names) > _FIELDS_NAMED:
        return f"{len(names)} fields"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _records(count: int) -> str:
    return "record" if count == 1 else "records"
