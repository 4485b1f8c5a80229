"""What another release says otherwise, as lines of a page: every field, and of each all of it, a part at a time."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from hub.registry.differing import Difference, FieldChange, Kind
from hub.web.inert import compared, inert
from hub.web.text_difference import long_text_lines
from hub.web.views.promotions import ChangedLine, ChangedPart

Json = Any
"""Any JSON value."""

_MOST_LINES: Final = 100
_MOST_CHARACTERS: Final = 200_000
"""A part ends with the line that goes beyond this."""
_LONGEST: Final = 50_000
"""Of one value; a single one that is longer is told by the API alone."""
_PLACE: Final = re.compile(r"[0-9]{1,8}")
_SHORT: Final = 80
_LONG_LIST: Final = 200


def changed_part(found: Sequence[Difference], address: str, start: str = "") -> ChangedPart:
    """Return the lines of what differs from line `start` on, counted from 0, and where the others are.

    Where there is no such line, or not any more, they begin with the first.
    """
    told = [*_told(found)]
    first = int(start) if _PLACE.fullmatch(start) and int(start) < len(told) else 0
    lines, characters = list[ChangedLine](), 0
    for name, one in told[first:]:
        line, length = _line(name, one)
        lines.append(line)
        characters += length
        if len(lines) == _MOST_LINES or characters > _MOST_CHARACTERS:
            break
    after = first + len(lines)
    return ChangedPart(
        lines=tuple(lines),
        first=first + 1,
        last=after,
        total=len(told),
        start_url=f"{address}#changed" if first else "",
        next_url=f"{address}?from={after}#changed" if after < len(told) else "",
    )


def _told(found: Sequence[Difference]) -> Iterator[tuple[str, FieldChange | Kind]]:
    for one in found:
        name = one.operation or "the connector itself"
        if one.kind is not Kind.CHANGED:
            yield name, one.kind
        for field in one.fields:
            yield name, field


def _line(name: str, one: FieldChange | Kind) -> tuple[ChangedLine, int]:
    """Return one line, and of how many characters it is made."""
    if isinstance(one, Kind):
        sides = ("not offered", "offered") if one is Kind.NEW else ("offered", "not offered")
        return ChangedLine(what=inert(name), before=inert(sides[0]), after=inert(sides[1])), len(name)
    what = f"{name}: {one.pointer}"
    old, new = one.before, one.after
    if isinstance(old, str) and isinstance(new, str) and (lines := long_text_lines(old, new)):
        length = len(what) + len(old) + len(new)
        return ChangedLine(what=inert(what), before=inert(old), after=inert(new), lines=lines), length
    if isinstance(old, list) and isinstance(new, list):
        what, old, new = _only_others(what, cast("list[Json]", old), cast("list[Json]", new))
    before = "nothing" if one.is_absent_before else _text(old)
    after = "nothing" if one.is_absent_after else _text(new)
    length = len(what) + len(before) + len(after)
    if one.is_absent_before or one.is_absent_after:
        return ChangedLine(what=inert(what), before=inert(before), after=inert(after)), length
    return ChangedLine(what=inert(what), before=compared(before, after), after=compared(after, before)), length


def _only_others(what: str, old: list[Json], new: list[Json]) -> tuple[str, list[Json], list[Json]]:
    """Return of two long lists the items that only one of them has; all of them where only their order differs."""
    before, after = ([json.dumps(item, sort_keys=True) for item in items] for items in (old, new))
    if max(sum(map(len, before)), sum(map(len, after))) < _LONG_LIST:
        return what, old, new
    gone, come = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if not gone and not come:
        return what, old, new
    same = len(old) - gone.total()
    return (
        f"{what} (beside {same} items that stay)",
        [*map(json.loads, gone.elements())],
        [*map(json.loads, come.elements())],
    )


def _text(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping | list) and len(text) > _SHORT:
        text = json.dumps(value, ensure_ascii=False, indent=2)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]} ... and {len(text) - _LONGEST} more characters, which the API tells"
