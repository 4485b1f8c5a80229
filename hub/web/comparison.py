"""Before and after, field by field: what a preview's change means to the person who reads it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, cast

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect
from hub.web.field_words import FieldWords
from hub.web.inert import Inert, Kind, compared, inert
from hub.web.readable import moment, readable
from hub.web.side_by_side import ABSENT, Row, forms, member, side_by_side
from hub.web.text_difference import TextLine, long_text_lines

Json = Any
"""Any JSON value."""

_NO_WORDS: Final = FieldWords()


class FieldState(StrEnum):
    """What happens to one field; the value is the word the page shows."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    ASSIGNED = "assigned on commit"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One value: its text, and `note` for what is not text (empty, nothing, hidden)."""

    text: Inert | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One row of the comparison: what people call the field, its own name, and what happens to it."""

    name: Inert
    state: FieldState
    before: Shown
    after: Shown
    title: Inert
    lines: tuple[TextLine, ...] = ()
    """Where two long texts differ; each stands whole in `before` and `after`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One record before and after, changed fields first."""

    target: Inert
    effect: Effect
    changed: tuple[Field, ...]
    unchanged: tuple[Field, ...]
    raw: Inert
    """Both sides as the connector gave them, with nothing put into words; only what pages hide is hidden."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Veil:
    """What of a record is not shown: fields the system assigns (`unknown`), and fields that pages hide."""

    unknown: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


def comparison(change: Change, words: FieldWords = _NO_WORDS) -> Comparison:
    """Return `change` field by field; nested records become dotted names, which `words` calls by their titles."""
    veil = Veil(unknown=change.unknown, sensitive=change.sensitive)
    fields = compare_records(change.before, change.after, veil, words)
    return Comparison(
        target=inert(change.target),
        effect=change.effect,
        changed=tuple(field for field in fields if field.state is not FieldState.UNCHANGED),
        unchanged=tuple(field for field in fields if field.state is FieldState.UNCHANGED),
        raw=_raw(change, veil),
    )


def compare_records(
    one: Mapping[str, Json] | None, other: Mapping[str, Json] | None, veil: Veil, words: FieldWords = _NO_WORDS
) -> list[Field]:
    """Return every field of two records side by side; either may be missing altogether."""
    rows = side_by_side(one, other)
    named = {name for name, _, _ in rows}
    rows += [(name, ABSENT, ABSENT) for name in veil.unknown if name not in named]
    sides = _Sides(
        before={name: old for name, old, _ in rows if old is not ABSENT},
        after={name: new for name, _, new in rows if new is not ABSENT},
    )
    return [_field(row, sides, veil, words) for row in rows]


def plain_fields(record: Mapping[str, Json], words: FieldWords = _NO_WORDS) -> tuple[Field, ...]:
    """Return one record field by field, for a place where nothing is compared: see `after`."""
    return tuple(compare_records(record, record, Veil(), words))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """Two records as leaves by their names."""

    before: Mapping[str, Json]
    after: Mapping[str, Json]


def _raw(change: Change, veil: Veil) -> Inert:
    sides = {
        side: None if record is None else _veiled(record, veil, "")
        for side, record in (("before", change.before), ("after", change.after))
    }
    return inert(json.dumps(sides, ensure_ascii=False, indent=2, default=str))


def _veiled(value: Json, veil: Veil, name: str) -> Json:
    if name and _names(veil.sensitive, name):
        return "hidden: sensitive"
    if isinstance(value, Mapping):
        record = cast("Mapping[str, Json]", value)
        return {key: _veiled(one, veil, _joined(name, str(key))) for key, one in record.items()}
    if isinstance(value, list | tuple):
        members = cast("Sequence[Json]", value)
        return [_veiled(one, veil, f"{name}[{place}]") for place, one in enumerate(members, start=1)]
    return value


def _joined(name: str, key: str) -> str:
    return f"{name}.{member(key)}" if name else member(key)


def _field(row: Row, sides: _Sides, veil: Veil, words: FieldWords) -> Field:
    name, old, new = row
    state = _state(old, new, is_unknown=_names(veil.unknown, name))
    known = Field(
        name=inert(name),
        title=inert(words.called(name)),
        state=state,
        before=_hidden(old),
        after=_hidden(new, state=state),
    )
    if _names(veil.sensitive, name):
        return known
    before, after = _pair(name, old, new, currencies=(_currency(name, sides.before), _currency(name, sides.after)))
    if state is FieldState.ASSIGNED:
        after = Shown(note="the system assigns it")
    both = isinstance(old, str) and isinstance(new, str) and state is FieldState.CHANGED
    return replace(known, before=before, after=after, lines=long_text_lines(old, new) if both else ())


def _state(old: Json, new: Json, *, is_unknown: bool) -> FieldState:
    if is_unknown:
        return FieldState.ASSIGNED
    if old is ABSENT:
        return FieldState.ADDED
    if new is ABSENT:
        return FieldState.REMOVED
    is_same = type(old) is type(new) and old == new
    return FieldState.UNCHANGED if is_same else FieldState.CHANGED


def _names(listed: tuple[str, ...], name: str) -> bool:
    """Tell whether `name`, or a record around it, is listed; list places may be left out ("lines.tax_code")."""
    heads = [form for each in listed for form in (each, member(each))]
    return any(
        candidate == head or candidate.startswith((f"{head}.", f"{head}["))
        for candidate in forms(name)
        for head in heads
    )


def _hidden(value: Json, *, state: FieldState | None = None) -> Shown:
    if value is ABSENT:
        return Shown(note="the system assigns it" if state is FieldState.ASSIGNED else "not there")
    return Shown(note="hidden: sensitive")


def _pair(name: str, old: Json, new: Json, *, currencies: tuple[str | None, str | None]) -> tuple[Shown, Shown]:
    are_texts = isinstance(old, str) and isinstance(new, str) and old != new and old and new
    if are_texts and not (moment(old) and moment(new)):
        return Shown(text=compared(old, new)), Shown(text=compared(new, old))
    both = old is not ABSENT and new is not ABSENT
    says_type = both and old is not None and new is not None and type(old) is not type(new)
    changed = both and (says_type or old != new)
    return (
        _shown(name, old, currency=currencies[0], kind=Kind.CHANGED if changed else Kind.PLAIN, says_type=says_type),
        _shown(name, new, currency=currencies[1], kind=Kind.CHANGED if changed else Kind.PLAIN, says_type=says_type),
    )


def _shown(name: str, value: Json, *, currency: str | None, kind: Kind, says_type: bool) -> Shown:
    if value is ABSENT:
        return Shown(note="not there")
    if (note := _note(value)) is not None:
        return Shown(note=note)
    type_note = _type_word(value) if says_type else ""
    return Shown(text=inert(readable(name, value, currency), kind=kind), note=type_note)


def _type_word(value: object) -> str:
    return _TYPE_WORDS.get(type(value), "")


_TYPE_WORDS: Final[Mapping[type, str]] = {str: "text", int: "number", float: "number", bool: "yes or no"}


def _note(value: Json) -> str | None:
    if value is None:
        return "nothing"
    if value == "":
        return "empty text"
    if value == []:
        return "empty list"
    return "empty record" if value == {} else None


def _currency(name: str, record: Mapping[str, Json]) -> str | None:
    """The currency that stands in the same record, or in one around it."""
    prefix = name
    while prefix:
        prefix = prefix.rpartition(".")[0]
        found = record.get(f"{prefix}.currency" if prefix else "currency")
        if isinstance(found, str):
            return found
    return None
