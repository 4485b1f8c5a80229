"""How prominently each term stands in what one operation says of itself: name, texts, fields, examples."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.sdk.spec import OperationSpec
from hub.registry.terms import terms_of
from schemas import subschemas

Json = Any
"""Any JSON value."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What a term counts in one place, and how many terms usually stand there: among more of them each counts less."""

    weight: float
    usual: int


_NAME: Final = _Place(8.0, 3)
_TITLE: Final = _Place(6.0, 4)
_DESCRIPTION: Final = _Place(4.0, 15)
_CONNECTOR: Final = _Place(1.0, 2)
_FIELDS: Final = _Place(2.0, 15)
_ANSWER: Final = _Place(0.5, 15)
_EXAMPLES: Final = _Place(0.5, 10)
_BY_LENGTH: Final = 0.6
"""How far the length of a place counts."""


def prominence(operation: OperationSpec, connector: str) -> Mapping[str, float]:
    """Return the terms of an operation of `connector`, each with how prominent it is there."""
    found = dict[str, float]()
    _add(found, _NAME, [operation.name])
    _add(found, _CONNECTOR, [connector])
    _add(found, _TITLE, [operation.title])
    _add(found, _DESCRIPTION, [operation.description])
    _add(found, _FIELDS, _fields(operation.input_schema))
    _add(found, _ANSWER, _fields(operation.output_schema))
    _add(found, _EXAMPLES, (text for example in operation.examples for text in _texts(dict(example))))
    return found


def _add(found: dict[str, float], place: _Place, texts: Iterable[str]) -> None:
    terms = [term for text in texts for term in terms_of(text)]
    if not terms:
        return
    weight = place.weight / (1 - _BY_LENGTH + _BY_LENGTH * max(1.0, len(terms) / place.usual))
    for term in terms:
        found[term] = found.get(term, 0.0) + weight


def _fields(schema: Mapping[str, Json]) -> Iterator[str]:
    for _, part in subschemas(schema):
        yield from cast("Iterable[str]", part.get("properties", {}))
        yield str(part.get("description", ""))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in cast("dict[str, Json]", value).values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in cast("list[Json]", value):
            yield from _texts(item)
