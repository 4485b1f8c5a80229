"""The search over tools, for agents and people alike: one index, kept current entry by entry, and one ranking.

A tool is ranked by what stands in its name, title, description, schema fields and examples, each with its weight, by
how rare that is among all tools, and by how much of what was asked for it answers (BM25 with fields). What a question
asks for, in English or Chinese, the vocabulary says. Another way of ranking, such as one by embeddings, may join: see
`Ranker`.
"""

import heapq
import math
from array import array
from asyncio import sleep
from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from connectors.sdk.vocabulary import Effect
from hub.registry.entries import Entry
from hub.registry.prominence import prominence
from hub.registry.snapshot import Shelf, Snapshot
from hub.registry.terms import terms_of
from hub.registry.vocabulary import Wanted, only_asks, vocabulary

Key = tuple[str, str]
"""What is indexed once: a version's id and a name it is published under."""

_BEGINS: Final = 0.6
"""What a word counts that only begins like the one asked for."""
_SHORTEST_BEGINNING: Final = 3
_MOST_BEGINNINGS: Final = 40
_SATURATED: Final = 4.0
"""How prominent a term is that counts half of what it can at most."""
_NOT_ASKED: Final = 0.85
"""What a tool that changes something counts for a question that only asks."""
_PUBLISHED_NAME: Final = 4.0
_ENOUGH: Final = 1000
"""So many tools answer rarer things of a question that one which answers common ones alone is not looked at."""
_FIRST: Final = 200
"""So many of the best are put in order first, the others when somebody asks for more."""
_AT_A_TIME: Final = 16
"""Entries that are indexed before others have their turn: a millisecond or two."""
_WORN: Final = 2
"""When so many times more was indexed than is there still, everything is indexed anew."""


class Ranker(Protocol):
    """Something that scores entries for a question: the words below, or whatever else understands it."""

    def add(self, entry: Entry) -> None:
        """Take up one more entry; they are numbered in the order in which they come, from 0."""
        ...

    def scores(self, text: str) -> Mapping[int, float]:
        """Return how well entries answer `text`, those that do at all, by their number."""
        ...


@dataclass(slots=True)
class _Postings:
    documents: "array[int]" = field(default_factory=lambda: array("I"))
    weights: "array[float]" = field(default_factory=lambda: array("f"))

    def pairs(self) -> Iterable[tuple[int, float]]:
        return zip(self.documents, self.weights, strict=True)


class Words:
    """Ranks by words: which terms stand in which documents, and how prominently. Documents are only ever added."""

    def __init__(self) -> None:
        self._postings: dict[str, _Postings] = {}
        self._sorted: list[str] = []
        self._unsorted: list[str] = []
        self._reads: set[int] = set()
        self._count = 0

    def add(self, entry: Entry) -> None:
        """Take up one more entry."""
        for term, weight in _terms(entry).items():
            having = self._postings.get(term)
            if having is None:
                having = self._postings[term] = _Postings()
                self._unsorted.append(term)
            having.documents.append(self._count)
            having.weights.append(weight / (weight + _SATURATED))
        if entry.version is not None and entry.version.spec.effect is Effect.READ:
            self._reads.add(self._count)
        self._count += 1

    def scores(self, text: str) -> Mapping[int, float]:
        """Return how well entries answer `text`, by their number."""
        found = [(wanted, best) for wanted in vocabulary().asked_in(text) if (best := self._best(wanted))]
        found.sort(key=lambda each: len(each[1]))  # the rarest first
        scores = dict[int, float]()
        for wanted, best in found:
            weight = wanted.weight * math.log(1 + (self._count - len(best) + 0.5) / (len(best) + 0.5))
            both = scores.keys() & best.keys()
            for number in both:
                scores[number] += weight * best[number]
            if len(scores) < _ENOUGH:
                scores.update((number, weight * best[number]) for number in best.keys() - both)
        if only_asks(text):
            scores.update([(number, scores[number] * _NOT_ASKED) for number in scores.keys() - self._reads])
        return scores

    def _best(self, wanted: Wanted) -> dict[int, float]:
        """Return how prominently documents have what is wanted: the best of its alternatives that each has."""
        best = dict[int, float]()
        for terms, worth in self._present(wanted):
            _raise_to(best, {number: weight * worth for number, weight in self._having(terms)})
        return best

    def _present(self, wanted: Wanted) -> list[tuple[tuple[str, ...], float]]:
        known = self._postings.keys()
        found = [(terms, worth) for terms, worth in wanted.alternatives.items() if known >= set(terms)]
        return found or [((term,), _BEGINS) for term in self._beginning(wanted.word)]

    def _having(self, terms: tuple[str, ...]) -> Iterable[tuple[int, float]]:
        if len(terms) == 1:
            return self._postings[terms[0]].pairs()
        held = sorted((dict(self._postings[term].pairs()) for term in terms), key=len)
        common = set(held[0]).intersection(*held[1:])
        return ((number, sum([one[number] for one in held]) / len(terms)) for number in common)

    def _beginning(self, word: str) -> Iterator[str]:
        if len(word) < _SHORTEST_BEGINNING:
            return
        self._sort()
        start = bisect_left(self._sorted, word)
        for term in self._sorted[start : start + _MOST_BEGINNINGS]:
            if not term.startswith(word):
                return
            yield term

    def _sort(self) -> None:
        if len(self._unsorted) > len(self._sorted):
            self._sorted = sorted([*self._sorted, *self._unsorted])
        else:
            for term in self._unsorted:
                insort(self._sorted, term)
        self._unsorted.clear()


class Index:
    """What is published, by number, and the rankers of it, whose scores are added up.

    It is told at once what a snapshot has and the one before had not, and takes that up little by little: whoever
    searches waits until it has, and everybody else goes on.
    """

    def __init__(self, rankers: Sequence[Ranker] = ()) -> None:
        self._rankers: Final = rankers or (Words(),)
        self._keys: list[Key] = []
        self._numbers: dict[Key, int] = {}
        self._held: Counter[Key] = Counter()
        self._shelves: Mapping[str, Shelf] = {}
        self._generation = 0
        self._ahead = deque[tuple[Key, Entry | None]]()
        """What is to be taken up or, without its entry, let go, in this order."""

    @property
    def is_worn(self) -> bool:
        """Whether most of what was indexed has gone; then it is time for a new one."""
        return len(self._keys) > _WORN * len(self._numbers) + _ENOUGH

    def follow(self, snapshot: Snapshot) -> None:
        """Note what `snapshot` has and the one before had not, and what has gone; `catch_up` indexes it.

        One that is older than the one before, of somebody who looked before it changed, changes nothing.
        """
        if snapshot.generation < self._generation:
            return
        self._generation = snapshot.generation
        for name in self._shelves.keys() | snapshot.shelves.keys():
            before, after = self._shelves.get(name), snapshot.shelves.get(name)
            if before is not after:
                self._follow(before.entries if before else {}, after.entries if after else {})
        self._shelves = snapshot.shelves

    def _follow(self, before: Mapping[str, Entry], after: Mapping[str, Entry]) -> None:
        for name, entry in after.items():
            if before.get(name) is not entry and entry.version is not None:
                self._ahead.append(((entry.version.id, name), entry))
        for name, entry in before.items():
            if after.get(name) is not entry and entry.version is not None:
                self._ahead.append(((entry.version.id, name), None))

    async def catch_up(self) -> None:
        """Index what is ahead; of several who do so at the same time each does a part, and all find it done."""
        while self._ahead:
            for _ in range(min(_AT_A_TIME, len(self._ahead))):
                key, entry = self._ahead.popleft()
                if entry is None:
                    self._let_go(key)
                else:
                    self._take_up(key, entry)
            if self._ahead:
                await sleep(0)

    def _take_up(self, key: Key, entry: Entry) -> None:
        self._held[key] += 1
        if key in self._numbers:
            return
        self._numbers[key] = len(self._keys)
        self._keys.append(key)
        for ranker in self._rankers:
            ranker.add(entry)

    def _let_go(self, key: Key) -> None:
        self._held[key] -= 1
        if not self._held[key]:
            del self._held[key]
            del self._numbers[key]

    def ranked(self, text: str, shelf: Shelf) -> Iterator[Entry]:
        """Yield the entries of `shelf` that answer `text`, the best first, then by name."""
        scores = self._scores(text)
        if len(shelf.entries) < len(scores):
            here = (self._number_of(entry) for entry in shelf.entries.values())
            scores = {number: scores[number] for number in here if number is not None and number in scores}
        for some in _best_first(scores):
            heap = [(-scores[number], self._keys[number][1], number) for number in some]
            heapq.heapify(heap)
            while heap:
                _, name, number = heapq.heappop(heap)
                entry = shelf.entries.get(name)
                if entry is not None and self._number_of(entry) == number:
                    yield entry

    def _number_of(self, entry: Entry) -> int | None:
        return None if entry.version is None else self._numbers.get((entry.version.id, entry.name))

    def _scores(self, text: str) -> Mapping[int, float]:
        first, *others = (ranker.scores(text) for ranker in self._rankers)
        if not others:
            return first
        joined = dict[int, float]()
        for scores in (first, *others):
            most = max(scores.values(), default=1.0)
            for number, score in scores.items():
                joined[number] = joined.get(number, 0.0) + score / most
        return joined


def _best_first(scores: Mapping[int, float]) -> Iterator[list[int]]:
    """Yield the numbers of the best few, then all others: hardly anybody looks further than those."""
    if len(scores) > _FIRST:
        least = sorted(scores.values(), reverse=True)[_FIRST]
        yield [number for number, score in scores.items() if score >= least]
        yield [number for number, score in scores.items() if score < least]
    else:
        yield [*scores]


def _raise_to(best: dict[int, float], others: dict[int, float]) -> None:
    """Let `best` have the higher of both for each number; most stand in one of them alone, and cost no step here."""
    higher = [(number, best[number]) for number in best.keys() & others.keys() if best[number] > others[number]]
    best |= others
    best.update(higher)


def _terms(entry: Entry) -> Mapping[str, float]:
    assert entry.version is not None  # noqa: S101  # what is indexed has one
    terms = dict(prominence(entry.version.spec, entry.tool.connector))
    for term in terms_of(entry.name):
        terms[term] = terms.get(term, 0.0) + _PUBLISHED_NAME
    return terms
