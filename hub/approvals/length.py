"""How long a question is: the words that a decision summary gives its reader to read."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

Json = Any
"""Any JSON value."""

_NAMED: Final = frozenset({"fields", "arguments"})
"""Members whose own names are shown as well: they are those of the record, not the hub's."""


def words_in(summary: Mapping[str, Json]) -> int:
    """Return how many words are shown: those of every text, one for every other value, and the names of fields.

    What a page says around them (labels, reasons of rules, buttons) is not counted, so that nobody is told to have read
    too fast who knows the page.
    """
    return sum(len(text.split()) for text in _texts(summary))


def _texts(value: Json) -> Iterator[str]:
    match value:
        case None:
            return
        case Mapping():
            for name, member in cast("Mapping[str, Json]", value).items():
                if name in _NAMED and isinstance(member, Mapping):
                    yield from cast("Mapping[str, Json]", member)
                yield from _texts(member)
        case list() | tuple():
            for member in cast("list[Json]", value):
                yield from _texts(member)
        case _:
            yield str(value)
