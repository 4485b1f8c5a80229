"""Masking: values whose data class somebody may not see show as markers that name the class.

The schema says of what class a part is, by `x-data-class`, one class or a list of them; an empty list says that it is
of none. What the schema is silent about is of the classes of what it stands in; in the end, of those classes of the
operation that its schema names nowhere.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from typing import Any, Final, cast

from hub.core.applying import Applying, Schema, applying_to, is_list, is_object

MARK: Final = "x-data-class"
MARKER: Final = r"\[masked: [^\[\]]*\]"
"""How markers look."""
_MARKER: Final = re.compile(MARKER)

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True)
class Masked:
    """A value with markers, and the classes that they stand for."""

    value: Json
    classes: frozenset[str]


def mask(value: Json, schema: Schema, *, of: Collection[str], hidden: Collection[str]) -> Masked:
    """Return `value` without what is of a `hidden` class; `of` are the classes of its operation.

    What is nested too deeply to follow, or under a reference that leads nowhere, is of all of them.
    """
    masking = _Masking(everything=frozenset(of) | frozenset(hidden), hidden=frozenset(hidden))
    shown = masking.part(value, applying_to(schema), frozenset(of) - classes_in(schema))
    return Masked(shown, frozenset(masking.found))


def classes_in(schema: Json) -> frozenset[str]:
    """Return every class that a schema names anywhere."""
    found: set[str] = set()
    waiting: list[Json] = [schema]
    while waiting:
        part = waiting.pop()
        if is_object(part):
            found |= _named(part)
            waiting += part.values()
        elif is_list(part):
            waiting += part
    return frozenset(found)


def told_apart(was: Json, becomes: Json, shown_was: Json, shown: Json) -> Json:
    """Return `shown`, in which a marker tells whether it stands for another value than the same marker before it.

    Two markers look alike, so that a change of what they stand for would look like none.
    """
    if is_object(shown):
        old, new, known = map(_members, (was, becomes, shown_was))
        return {name: told_apart(old.get(name), new.get(name), known.get(name), part) for name, part in shown.items()}
    if is_list(shown):
        places = zip_longest(*map(_items, (was, becomes, shown_was)), shown)
        return [told_apart(*place) for place in islice(places, len(shown))]
    is_hidden = was != becomes and shown == shown_was and holds_marker(shown)
    return f"{shown[:-1]}, another value]" if is_hidden else shown


def _members(value: Json) -> Mapping[str, Json]:
    return value if is_object(value) else {}


def _items(value: Json) -> list[Json]:
    return value if is_list(value) else []


def holds_marker(value: Json) -> bool:
    """Return whether a marker stands anywhere in `value`: whoever sends it back was never shown what it stands for."""
    if isinstance(value, str):
        return _MARKER.search(value) is not None
    if isinstance(value, Mapping):
        return any(map(holds_marker, cast("Mapping[str, Json]", value).values()))
    return isinstance(value, list) and any(map(holds_marker, cast("list[Json]", value)))


@dataclass(slots=True)
class _Masking:
    everything: frozenset[str]
    hidden: frozenset[str]
    found: set[str] = field(default_factory=set[str])

    def part(self, value: Json, applying: Applying | None, inherited: frozenset[str]) -> Json:
        classes = self.everything if applying is None else _classes(applying, inherited)
        if is_object(value):
            below = {name: applying.to_member(name) if applying else None for name in value}
            return {name: self.part(member, below[name], classes) for name, member in value.items()}
        if is_list(value):
            return [
                self.part(item, applying.to_item(at) if applying else None, classes) for at, item in enumerate(value)
            ]
        found = classes & self.hidden
        if value is None or not found:
            return value
        self.found |= found
        return f"[masked: {', '.join(sorted(found))}]"


def _classes(applying: Applying, inherited: frozenset[str]) -> frozenset[str]:
    said = [_named(schema) for schema in applying.schemas if MARK in schema]
    return frozenset(name for each in said for name in each) if said else inherited


def _named(schema: Schema) -> frozenset[str]:
    said = schema.get(MARK, ())
    return frozenset([said] if isinstance(said, str) else [one for one in said if isinstance(one, str)])
