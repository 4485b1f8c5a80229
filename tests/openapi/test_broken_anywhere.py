"""A document that is broken in any one place is still imported: what stands elsewhere becomes tools all the same."""

from collections.abc import Iterator
from copy import deepcopy
from importlib.resources import files
from itertools import cycle
from typing import Any

import pytest

from connectors.openapi import Importing, UnknownKind, compile_document, read_document
from connectors.openapi.report import report_of

Json = Any
Place = tuple[str | int, ...]

JUNK: tuple[Json, ...] = (
    None, True, -1.5, "", "x", [], {}, ["a", 1, None], {"$ref": "#/nowhere"}, {"$ref": 7}, {"type": ["x", None]},
    {"allOf": 7}, {"oneOf": [None, 7, {}]}, {"enum": {}, "format": []}, {"properties": {"a": None}},
)  # fmt: skip


def places(value: Json, place: Place = ()) -> Iterator[Place]:
    """Yield the place of everything in `value`."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in members:
        yield (*place, step)
        yield from places(member, (*place, step))


def with_junk(document: Json, place: Place, junk: Json) -> Json:
    """Return the document with `junk` at `place`."""
    broken = deepcopy(document)
    holder = broken
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = deepcopy(junk)
    return broken


@pytest.mark.more
def test_a_document_broken_in_any_one_place_becomes_tools_that_are_fit() -> None:
    document = read_document(files("connectors.ticketing").joinpath("tickets.openapi.yaml").read_bytes())
    junk = cycle(JUNK)

    for place in places(document):
        broken = with_junk(document, place, next(junk))
        try:
            report = report_of(compile_document(broken, Importing(name="broken")))
        except UnknownKind:
            assert place == ("openapi",)
            continue
        unfit = report["dangling"] or report["invalid"] or report["non_portable"]
        assert not unfit, (place, report)
