"""Two records side by side: the leaves of both, by one name each, with the members of lists matched to each other.

Members of a list that are there on both sides stand in one row, even where another was put in front of them. A list
whose members were only put into another order is never taken for the same.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, cast

Json = Any
"""Any JSON value."""
Row = tuple[str, Json, Json]
"""A name, and what stands there before and after; `ABSENT` for nothing at all."""

ABSENT: Final = object()
DEPTH: Final = 6
_MOST_MATCHED: Final = 300
"""Longer lists are compared place by place: matching takes time that grows faster than they do."""
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_PLACE: Final = re.compile(r"\[(\d*)(\N{RIGHTWARDS ARROW}?)(\d*)\]")


def side_by_side(one: Mapping[str, Json] | None, other: Mapping[str, Json] | None) -> list[Row]:
    """Return the leaves of two records; either may be missing altogether."""
    before = ABSENT if one is None else one
    after = ABSENT if other is None else other
    return [row for row in _rows("", before, after, 0) if row[0]]


def forms(name: str) -> set[str]:
    """Return what a row's name is called in the record before, in that after, and without places of lists."""
    return {name, _PLACE.sub("", name), _PLACE.sub(_there_before, name), _PLACE.sub(_there_after, name)}


def member(key: str) -> str:
    """Return `key` as part of a dotted name; quoted when it could be mistaken for a path (or shown as another)."""
    return key if _PLAIN_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _rows(name: str, old: Json, new: Json, depth: int) -> Iterator[Row]:
    kinds = {_kind(value, depth) for value in (old, new) if value is not ABSENT}
    if kinds == {"record"}:
        yield from _of_records(name, old, new, depth)
    elif kinds == {"list"}:
        yield from _of_lists(name, old, new, depth)
    elif kinds == {"leaf"}:
        yield name, old, new
    elif kinds:  # a record became a list, or a value: nothing of one is the other
        yield from _rows(name, ABSENT, new, depth)
        yield from _rows(name, old, ABSENT, depth)


def _kind(value: Json, depth: int) -> str:
    if depth >= DEPTH or not isinstance(value, Mapping | list | tuple) or not value:
        return "leaf"
    return "record" if isinstance(value, Mapping) else "list"


def _of_records(name: str, old: Json, new: Json, depth: int) -> Iterator[Row]:
    before, after = (cast("Mapping[str, Json]", {} if one is ABSENT else one) for one in (old, new))
    for key in dict.fromkeys([*after, *before]):
        part = member(str(key))
        yield from _rows(f"{name}.{part}" if name else part, before.get(key, ABSENT), after.get(key, ABSENT), depth + 1)


def _of_lists(name: str, old: Json, new: Json, depth: int) -> Iterator[Row]:
    if old is ABSENT or new is ABSENT:
        whole = cast("Sequence[Json]", new if old is ABSENT else old)
        for place, value in enumerate(whole, start=1):
            sides = (ABSENT, value) if old is ABSENT else (value, ABSENT)
            yield from _rows(f"{name}[{place}]", *sides, depth + 1)
        return
    before, after = cast("Sequence[Json]", old), cast("Sequence[Json]", new)
    for i, j in _matched(before, after):
        left, right = (ABSENT if i is None else before[i]), (ABSENT if j is None else after[j])
        yield from _rows(f"{name}{_label(i, j)}", left, right, depth + 1)


def _label(i: int | None, j: int | None) -> str:
    if i is not None and i == j:
        return f"[{i + 1}]"
    return f"[{'' if i is None else i + 1}\N{RIGHTWARDS ARROW}{'' if j is None else j + 1}]"


def _matched(before: Sequence[Json], after: Sequence[Json]) -> Iterator[tuple[int | None, int | None]]:
    """Yield which member before is which one after, in an order that both lists have."""
    if max(len(before), len(after)) > _MOST_MATCHED:
        yield from _by_place(range(len(before)), range(len(after)))
        return
    have_ids = _ids(before) is not None and _ids(after) is not None
    left, right = ((_ids(one) or []) if have_ids else [_text(each) for each in one] for one in (before, after))
    for what, i, i_end, j, j_end in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what == "replace" and have_ids:  # other records, not the same ones with other values
            yield from ((each, None) for each in range(i, i_end))
            yield from ((None, each) for each in range(j, j_end))
        else:
            yield from _by_place(range(i, i_end), range(j, j_end))


def _by_place(before: range, after: range) -> Iterator[tuple[int | None, int | None]]:
    for place in range(max(len(before), len(after))):
        yield (before[place] if place < len(before) else None, after[place] if place < len(after) else None)


def _ids(members: Sequence[Json]) -> list[str] | None:
    """Return what names each member, if all of them are records with an id of their own."""
    found = [_text(one["id"]) for one in members if isinstance(one, Mapping) and "id" in one]
    return found if len(found) == len(members) == len(set(found)) else None


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _there_before(place: re.Match[str]) -> str:
    return f"[{place[1]}]"


def _there_after(place: re.Match[str]) -> str:
    return f"[{place[3] if place[2] else place[1]}]"
