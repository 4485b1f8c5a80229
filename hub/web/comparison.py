"""Before and after, field by field: what a preview's change means to the person who reads it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from connectors.sdk.preview import Change
from connectors.sdk.vocabulary import Effect
from hub.web.inert import Inert, Kind, compared, inert
from hub.web.money import minor_digits, money

Json = Any
"""Any JSON value."""

_DEPTH: Final = 6
_ABSENT: Final = object()
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_PLACES: Final = re.compile(r"\[\d+\]")


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
    """One row of the comparison."""

    name: Inert
    state: FieldState
    before: Shown
    after: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One record before and after, changed fields first."""

    target: Inert
    effect: Effect
    changed: tuple[Field, ...]
    unchanged: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Veil:
    """What of a record is not shown: fields the system assigns (`unknown`), and fields that pages hide."""

    unknown: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()


def comparison(change: Change) -> Comparison:
    """Return `change` field by field; nested records become dotted names."""
    fields = compare_records(change.before, change.after, Veil(unknown=change.unknown, sensitive=change.sensitive))
    return Comparison(
        target=inert(change.target),
        effect=change.effect,
        changed=tuple(field for field in fields if field.state is not FieldState.UNCHANGED),
        unchanged=tuple(field for field in fields if field.state is FieldState.UNCHANGED),
    )


def compare_records(one: Mapping[str, Json] | None, other: Mapping[str, Json] | None, veil: Veil) -> list[Field]:
    """Return every field of two records side by side; either may be missing altogether."""
    before, after = _flat(one), _flat(other)
    names = list(dict.fromkeys([*after, *before, *veil.unknown]))
    return [_field(name, before, after, veil) for name in names]


def _field(name: str, before: Mapping[str, Json], after: Mapping[str, Json], veil: Veil) -> Field:
    old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
    state = _state(old, new, is_unknown=_names(veil.unknown, name))
    if _names(veil.sensitive, name):
        return Field(name=inert(name), state=state, before=_hidden(old), after=_hidden(new, state=state))
    shown_before, shown_after = _pair(name, old, new, currencies=(_currency(name, before), _currency(name, after)))
    if state is FieldState.ASSIGNED:
        shown_after = Shown(note="the system assigns it")
    return Field(name=inert(name), state=state, before=shown_before, after=shown_after)


def _state(old: Json, new: Json, *, is_unknown: bool) -> FieldState:
    if is_unknown:
        return FieldState.ASSIGNED
    if old is _ABSENT:
        return FieldState.ADDED
    if new is _ABSENT:
        return FieldState.REMOVED
    is_same = type(old) is type(new) and old == new
    return FieldState.UNCHANGED if is_same else FieldState.CHANGED


def _names(listed: tuple[str, ...], name: str) -> bool:
    """Tell whether `name`, or a record around it, is listed; list places may be left out ("lines.tax_code")."""
    candidates = (name, _PLACES.sub("", name))
    heads = [form for each in listed for form in (each, _member(each))]
    return any(
        candidate == head or candidate.startswith((f"{head}.", f"{head}["))
        for candidate in candidates
        for head in heads
    )


def _member(key: str) -> str:
    """Return `key` as part of a dotted name; quoted when it could be mistaken for a path (or shown as another)."""
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _hidden(value: Json, *, state: FieldState | None = None) -> Shown:
    if value is _ABSENT:
        return Shown(note="the system assigns it" if state is FieldState.ASSIGNED else "not there")
    return Shown(note="hidden: sensitive")


def _pair(name: str, old: Json, new: Json, *, currencies: tuple[str | None, str | None]) -> tuple[Shown, Shown]:
    if isinstance(old, str) and isinstance(new, str) and old != new and old and new:
        return Shown(text=compared(old, new)), Shown(text=compared(new, old))
    both = old is not _ABSENT and new is not _ABSENT
    says_type = both and old is not None and new is not None and type(old) is not type(new)
    changed = both and (says_type or old != new)
    return (
        _shown(name, old, currency=currencies[0], kind=Kind.CHANGED if changed else Kind.PLAIN, says_type=says_type),
        _shown(name, new, currency=currencies[1], kind=Kind.CHANGED if changed else Kind.PLAIN, says_type=says_type),
    )


def _shown(name: str, value: Json, *, currency: str | None, kind: Kind, says_type: bool) -> Shown:
    if value is _ABSENT:
        return Shown(note="not there")
    if (note := _note(value)) is not None:
        return Shown(note=note)
    type_note = _type_word(value) if says_type else ""
    return Shown(text=inert(_words(name, value, currency), kind=kind), note=type_note)


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


def _words(name: str, value: Json, currency: str | None) -> str:
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False)
    if (
        isinstance(value, int)
        and name.endswith("_minor")
        and currency is not None
        and minor_digits(currency) is not None
    ):
        return money(value, currency)
    return str(value)


def _currency(name: str, record: Mapping[str, Json]) -> str | None:
    """The currency that stands in the same record, or in one around it."""
    prefix = name
    while prefix:
        prefix = prefix.rpartition(".")[0]
        found = record.get(f"{prefix}.currency" if prefix else "currency")
        if isinstance(found, str):
            return found
    return None


def _flat(record: Mapping[str, Json] | None) -> dict[str, Json]:
    return {} if record is None else dict(_leaves(record, name="", depth=0))


def _leaves(value: Json, *, name: str, depth: int) -> Iterator[tuple[str, Json]]:
    parts = _parts(value) if depth < _DEPTH else []
    if not parts:
        yield name, list(cast("Sequence[Json]", value)) if isinstance(value, tuple) else value
    for part, member in parts:
        joined = part if not name or part.startswith("[") else f".{part}"
        yield from _leaves(member, name=f"{name}{joined}", depth=depth + 1)


def _parts(value: Json) -> list[tuple[str, Json]]:
    """Return the members of a record or a list with their part of the name; nothing for a plain value."""
    if isinstance(value, Mapping):
        return [(_member(str(key)), member) for key, member in cast("Mapping[str, Json]", value).items()]
    if isinstance(value, list | tuple):
        return [(f"[{place}]", member) for place, member in enumerate(cast("Sequence[Json]", value), start=1)]
    return []
