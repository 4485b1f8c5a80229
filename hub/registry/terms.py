"""Terms: what a text is made of for the search, whichever language it is in; endings and accents do not count.

Words of Latin script become stems. Chinese is written without spaces, so of it each pair of neighbouring characters is
a term, which finds whatever has the same pair, wherever a word may begin.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where one word ends and the next begins in `accountId`."""
_PIECE: Final = re.compile(r"[a-z0-9]+|[\u3400-\u4dbf\u4e00-\u9fff]+")
_ENDINGS: Final = (("ies", "y"), ("sses", "ss"), ("ation", "at"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", ""))
_VOWELS: Final = frozenset("aeiouy")
_SHORTEST_STEM: Final = 3
_REMEMBERED: Final = 50_000


def pieces_of(text: str) -> list[str]:
    """Return the words of `text` in lower case and without accents, and its runs of Chinese characters."""
    plain = unicodedata.normalize("NFKD", _HUMP.sub(" ", text)).lower().replace("%", " percent ")
    return _PIECE.findall("".join(one for one in plain if not unicodedata.combining(one)))


def terms_of(text: str) -> list[str]:
    """Return the terms of `text`, in their order."""
    return [term for piece in pieces_of(text) for term in terms_in(piece)]


def terms_in(piece: str) -> Iterator[str]:
    """Yield the terms of one piece of a text."""
    if not is_chinese(piece):
        yield stem(piece)
    elif len(piece) == 1:
        yield piece
    else:
        yield from (piece[at : at + 2] for at in range(len(piece) - 1))


def is_chinese(piece: str) -> bool:
    """Return whether a piece is a run of Chinese characters."""
    return piece[0] >= "\u3400"


@lru_cache(maxsize=_REMEMBERED)
def stem(word: str) -> str:
    """Return `word` without its ending: `invoices`, `invoiced` and `invoicing` are one."""
    for ending, instead in _ENDINGS:
        bare = word.removesuffix(ending)
        if bare != word and len(bare) >= _SHORTEST_STEM and not word.endswith("ss") and _VOWELS & set(bare):
            return _without_e(_single(bare + instead))
    return _without_e(word)


def _single(bare: str) -> str:
    """Return `ship` for the `shipp` of `shipped`; `bill` and `pass` are written so."""
    is_doubled = len(bare) > _SHORTEST_STEM and bare[-1] == bare[-2] and bare[-1] not in "lsaeiou"
    return bare[:-1] if is_doubled else bare


def _without_e(bare: str) -> str:
    return bare[:-1] if len(bare) > _SHORTEST_STEM and bare.endswith("e") else bare
