"""The vocabulary: which words of business mean the same, in English and Chinese, and so what a question asks for."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

from hub.registry.terms import is_chinese, pieces_of, stem, terms_in, terms_of

Alternatives = dict[tuple[str, ...], float]
"""What may stand in a text instead of a word that was asked for: terms that all have to be there, with their weight."""

_Key = TypeVar("_Key")

_FILE: Final = "vocabulary.tsv"
_LITERAL: Final = 1.0
_NEAR: Final = 0.8
"""What the word of another column of the same line counts."""
_FAR: Final = 0.4
"""What another way to say it counts: tools rarely use it, and it often means something else as well."""
_UNKNOWN: Final = 0.6
"""What two Chinese characters count that are no known word."""
_LONGEST: Final = 5
"""Words of a phrase."""
_STOP_WORDS: Final = """
a an the of to in on at by for from with without into onto out off up as and or not no is are was were be been do does
did has have had having i me my we us our you your he his she her it its they them their this that these those there
here what which who whom whose when where why how much many can could may should would will shall want wants need
please someone somebody something anything again given now right about one all any some if so than then too very just
get gets got let
"""
_ASKS: Final = re.compile(
    r"^\s*(who|whose|whom|what|which|where|when|why|is|are|was|were|did|does|has|have)\b"
    r"|^\s*(how (?!do\b|can\b|to\b)|do we\b|do i\b|show|list|find|search|look|see|view|check|read|tell)"
    r"|多少|几|哪|什么|吗|谁|怎么样|有没有|了没|^[查看找搜]",
    re.IGNORECASE,
)
"""How a sentence begins, or in Chinese what it holds, that wants to know something and nothing changed."""
_STOP: Final = frozenset(_STOP_WORDS.split())
_STOP_CHINESE: Final = frozenset("的了把给在是吗请我你他她它们想要和与及到从对被为将个这那次条一些还呢吧啊让")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that a question asks for; whatever fits one of its alternatives answers it."""

    alternatives: Alternatives
    weight: float = 1.0
    word: str = ""
    """The word itself, if it may be the beginning of one."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Meanings of English words and phrases by their stems, and of Chinese words."""

    phrases: dict[tuple[str, ...], Alternatives]
    words: dict[str, Alternatives]

    def asked_in(self, text: str) -> list[Wanted]:
        """Return what `text` asks for; each thing once."""
        found = dict[str, Wanted]()
        stems = list[str]()
        for piece in pieces_of(text):
            if is_chinese(piece):
                found.update(self._chinese(piece))
            else:
                stems.append(piece)
        return [*self._english(stems), *found.values()]

    def _english(self, words: Sequence[str]) -> Iterator[Wanted]:
        stems = [stem(word) for word in words]
        found = dict[tuple[str, ...], Wanted]()
        for start in range(len(stems)):
            for end in range(min(len(stems), start + _LONGEST), start + 1, -1):
                phrase = tuple(stems[start:end])
                if phrase in self.phrases:
                    found[phrase] = Wanted({phrase: _LITERAL, **self.phrases[phrase]})
                    break
        for word, bare in zip(words, stems, strict=True):
            if word not in _STOP:
                found[bare,] = Wanted({**self.phrases.get((bare,), {}), (bare,): _LITERAL}, word=bare)
        yield from found.values()

    def _chinese(self, run: str) -> Iterator[tuple[str, Wanted]]:
        unknown, start = "", 0
        while start < len(run):
            word = self._word_at(run, start)
            if word:
                yield from _unknown(unknown)
                yield word, Wanted(self.words[word])
                unknown = ""
            elif run[start] in _STOP_CHINESE:
                yield from _unknown(unknown)
                unknown = ""
            else:
                unknown += run[start]
            start += max(1, len(word))
        yield from _unknown(unknown)

    def _word_at(self, run: str, start: int) -> str:
        ends = range(min(len(run), start + 8), start, -1)
        return next((run[start:end] for end in ends if run[start:end] in self.words), "")


def only_asks(text: str) -> bool:
    """Return whether `text` asks for an answer rather than for something to be done."""
    return _ASKS.search(text) is not None


@cache
def vocabulary() -> Vocabulary:
    """Return the hub's vocabulary."""
    text = files("hub.registry").joinpath(_FILE).read_text(encoding="utf-8")
    lines = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return vocabulary_of([[_members(column) for column in line] for line in lines])


def vocabulary_of(lines: Iterable[Sequence[Sequence[str]]]) -> Vocabulary:
    """Return a vocabulary of `lines` of three columns each: words of tools, other ways to say it, Chinese."""
    phrases, words = dict[tuple[str, ...], Alternatives](), dict[str, Alternatives]()
    for used, said, chinese in lines:
        own = [tuple(terms_of(one)) for one in used]
        others = [tuple(terms_of(one)) for one in said]
        signs = [tuple(terms_of(one)) for one in chinese]
        for member in own:
            _join(phrases, member, {**_all(others, _FAR), **_all(signs, _NEAR), **_all(own, _NEAR)})
        for member in others:
            _join(phrases, member, {**_all(others, _FAR), **_all(signs, _NEAR), **_all(own, _NEAR)})
        for word, terms in zip(chinese, signs, strict=True):
            mine = {terms: _LITERAL}
            _join(words, word, {**_all(others, _FAR), **_all(signs, _NEAR), **_all(own, _LITERAL), **mine})
    return Vocabulary(phrases, words)


def _join(known: dict[_Key, Alternatives], key: _Key, more: Alternatives) -> None:
    having = known.setdefault(key, {})
    for terms, weight in more.items():
        having[terms] = max(weight, having.get(terms, 0.0))


def _all(members: Iterable[tuple[str, ...]], weight: float) -> Alternatives:
    return dict.fromkeys(members, weight)


def _members(column: str) -> list[str]:
    return [member.strip() for member in column.split(",") if member.strip()]


def _unknown(run: str) -> Iterator[tuple[str, Wanted]]:
    if run:
        for term in terms_in(run):
            yield term, Wanted({(term,): _LITERAL}, weight=_UNKNOWN)
