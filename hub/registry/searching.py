"""Keyword search over tools: names, titles, descriptions, schema fields and examples; the same on every engine."""

import math
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from connectors.sdk.spec import OperationSpec
from hub.registry.snapshot import Snapshot
from schemas import subschemas

Json = Any
"""Any JSON value."""

_WORD: Final = re.compile(r"[a-z0-9]+")
_WEIGHTS: Final = {"name": 8, "title": 5, "description": 3, "field": 2, "example": 1}
_EXACT: Final = 10
_BEGINS: Final = 6
"""What a word counts that is the one asked for, and one that only begins like it, in tenths."""
_SHORTEST_BEGINNING: Final = 3
_PLURAL: Final = 4
"""From so many letters on, a final s is no part of the word."""


@dataclass(frozen=True, slots=True)
class Index:
    """Which words stand in which versions, how prominently, and under which names servers publish these."""

    generation: int
    postings: Mapping[str, Mapping[str, int]]
    """Word -> version id -> weight of the most prominent place."""
    words: tuple[str, ...]
    published: Mapping[str, tuple[str, ...]]
    """Version id -> every name it is published under."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Index":
        """Return the index over everything in `snapshot` that has a version."""
        postings = dict[str, dict[str, int]]()
        published = dict[str, set[str]]()
        for shelf in snapshot.shelves.values():
            for entry in shelf.entries.values():
                if entry.version is None:
                    continue
                if entry.version.id not in published:
                    _add(postings, entry.version.id, _prominence(entry.version.spec, entry.tool.connector))
                published.setdefault(entry.version.id, set()).add(entry.name)
                _add(postings, entry.version.id, dict.fromkeys(words_of(entry.name), _WEIGHTS["name"]))
        names = {version: tuple(sorted(known)) for version, known in published.items()}
        return cls(snapshot.generation, postings, tuple(sorted(postings)), names)

    def search(self, text: str, *, among: Collection[str]) -> list[str]:
        """Return the names in `among` that fit the words of `text`, the best first, then by name.

        A tool fits that has any of the words, or words that begin like them. More words, rarer words and more
        prominent places rank higher.
        """
        scores = dict[str, int]()
        for word in dict.fromkeys(words_of(text)):
            for version, score in self._scores(word).items():
                scores[version] = scores.get(version, 0) + score
        ranked = [
            (-score, name) for version, score in scores.items() for name in self.published[version] if name in among
        ]
        return list(dict.fromkeys(name for _, name in sorted(ranked)))

    def _scores(self, word: str) -> dict[str, int]:
        best = dict[str, int]()
        for known, closeness in self._alike(word):
            having = self.postings[known]
            rarity = int(10 * math.log2(2 + len(self.published) / len(having)))
            for version, weight in having.items():
                best[version] = max(best.get(version, 0), weight * closeness * rarity)
        return best

    def _alike(self, word: str) -> Iterator[tuple[str, int]]:
        if word in self.postings:
            yield word, _EXACT
        if len(word) < _SHORTEST_BEGINNING:
            return
        for at in range(bisect_left(self.words, word), len(self.words)):
            if not self.words[at].startswith(word):
                return
            if self.words[at] != word:
                yield self.words[at], _BEGINS


def words_of(text: str) -> list[str]:
    """Return the words of `text`: lower case, without accents, without the s of a plural."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return [_singular(word) for word in _WORD.findall(plain)]


def _singular(word: str) -> str:
    if len(word) >= _PLURAL and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) >= _PLURAL and word.endswith("s") and not word.endswith("ss") else word


def _prominence(operation: OperationSpec, connector: str) -> dict[str, int]:
    places = {
        "name": [operation.name, connector],
        "title": [operation.title],
        "description": [operation.description],
        "field": [*_fields(operation.input_schema), *_fields(operation.output_schema)],
        "example": [text for example in operation.examples for text in _texts(dict(example))],
    }
    found = dict[str, int]()
    for place, texts in places.items():
        for text in texts:
            for word in words_of(text):
                found.setdefault(word, _WEIGHTS[place])  # the places go from most to least prominent
    return found


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


def _add(postings: dict[str, dict[str, int]], version: str, words: Mapping[str, int]) -> None:
    for word, weight in words.items():
        having = postings.setdefault(word, {})
        having[version] = max(having.get(version, 0), weight)
