"""Templates of arguments: values, and references that stand for what a call or an earlier step of its plan brings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from connectors.sdk.pointer import resolve
from schemas.pointers import position

Json = Any
"""Any JSON value."""

FROM: Final = "$from"
"""The one member of a reference; its value is a JSON pointer into `{"input": ..., "steps": {NAME: output}}`."""


class NothingThere(Exception):
    """A step answered nothing where a later one refers to; the message says where."""


def references_in(template: Json, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield every reference in `template`: where it stands, as a JSON pointer, and where it leads."""
    pointer = reference_of(template)
    if pointer is not None:
        yield place, pointer
        return
    for step, member in _members(template):
        yield from references_in(member, f"{place}/{step.replace('~', '~0').replace('/', '~1')}")


def reference_of(template: Json) -> str | None:
    """Return where `template` leads if it is a reference, else None."""
    if not isinstance(template, Mapping) or FROM not in template:
        return None
    return str(cast("Mapping[str, Json]", template)[FROM])


def step_of(pointer: str) -> str | None:
    """Return the name of the step whose output `pointer` leads into; None: it leads elsewhere."""
    parts = pointer.split("/")
    return parts[2] if len(parts) > 2 and parts[1] == "steps" else None  # noqa: PLR2004  # "", "steps", the name


def filled(template: Json, known: Mapping[str, Json]) -> Json:
    """Return `template` with the values that its references stand for; what the caller did not give is left out.

    Raises:
        NothingThere: a step answered nothing there; without the value it would be another call than was meant.
    """
    return _filled(template, known, frozenset())


def foreseen(template: Json, known: Mapping[str, Json]) -> Json:
    """Return `template` with what is known so far; a reference to a step that has not answered yet stays as it is.

    Raises:
        NothingThere: a step that has answered has nothing there.
    """
    waiting = {name for _, pointer in references_in(template) if (name := step_of(pointer))}
    return _filled(template, known, frozenset(waiting - set(known["steps"])))


def without_references(template: Json) -> Json:
    """Return `template` without the members that wait for a step, so that what is left are values alone."""
    if isinstance(template, Mapping):
        members = cast("Mapping[str, Json]", template).items()
        return {name: without_references(member) for name, member in members if reference_of(member) is None}
    if isinstance(template, list):
        items = cast("list[Json]", template)
        return [without_references(item) for item in items if reference_of(item) is None]
    return template


def picked(value: Json, pointers: Iterable[str]) -> Json:
    """Return those parts of `value` that `pointers` lead to, where they stand in it; items before them are null."""
    return _picked(value, [tuple(pointer.split("/")[1:]) for pointer in pointers])


def _picked(value: Json, paths: Sequence[tuple[str, ...]]) -> Json:
    if () in paths:
        return value
    inner = dict[str, list[tuple[str, ...]]]()
    for step, *rest in paths:
        inner.setdefault(step.replace("~1", "/").replace("~0", "~"), []).append(tuple(rest))
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Json]", value)
        return {name: _picked(members[name], further) for name, further in sorted(inner.items()) if name in members}
    if isinstance(value, list):
        items = cast("list[Json]", value)
        wanted = {at: further for step, further in inner.items() if (at := position(step, items)) is not None}
        return [_picked(items[at], wanted[at]) if at in wanted else None for at in range(max(wanted, default=-1) + 1)]
    return None


_LEFT_OUT: Final = object()


def _filled(template: Json, known: Mapping[str, Json], waiting: frozenset[str]) -> Json:
    pointer = reference_of(template)
    if pointer is not None:
        return template if step_of(pointer) in waiting else _value(pointer, known)
    if isinstance(template, Mapping):
        members = cast("Mapping[str, Json]", template).items()
        made = {name: _filled(member, known, waiting) for name, member in members}
        return {name: value for name, value in made.items() if value is not _LEFT_OUT}
    if isinstance(template, list):
        items = [_filled(item, known, waiting) for item in cast("list[Json]", template)]
        return [item for item in items if item is not _LEFT_OUT]
    return template


def _value(pointer: str, known: Mapping[str, Json]) -> Json:
    found = resolve(known, pointer)
    if found is not None:
        return found
    step = step_of(pointer)
    if step is None:
        return _LEFT_OUT
    raise NothingThere(f"the step {step!r} answered nothing at {'/' + '/'.join(pointer.split('/')[3:])}")


def _members(template: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(template, Mapping):
        yield from cast("Mapping[str, Json]", template).items()
    if isinstance(template, list):
        for number, item in enumerate(cast("list[Json]", template)):
            yield str(number), item
