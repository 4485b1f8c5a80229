"""Text that others wrote, cut into pieces a page can show without being steered by it.

Templates escape markup; this module takes care of what escaping does not: characters that turn the line around, hide
or imitate. Each of them becomes a visible mark with its code point, and nothing of the text is ever left out.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Final, cast

SHOWN_AT_ONCE: Final = 600
"""Characters shown before the rest folds away behind "show the remaining"."""

NAME_LENGTH: Final = 140
"""Characters of a name or heading that are shown; how many more there are is said beside them."""

_TABOO: Final = frozenset(
    "\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5"
)  # letters and marks that look like nothing
_MARKED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_STACK: Final = 3  # combining marks in a row that real languages use; more than that covers the lines around
_CODE: Final = re.compile(r"(``?)([^`\n]+)\1")
_ALPHABETS: Final = ("LATIN", "CYRILLIC", "GREEK")  # the ones that imitate each other


class Kind(StrEnum):
    """How a piece of text is shown."""

    PLAIN = "plain"
    MARK = "mark"
    """A character that would not be seen, shown by its code point."""
    CHANGED = "changed"
    """The part in which two values differ."""
    CODE = "code"
    """A name or a value, which its author set between backticks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of characters that are shown alike; `title` explains a mark."""

    text: str
    kind: Kind = Kind.PLAIN
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inert:
    """Foreign text, ready to be shown: `head` at once, `rest` behind a disclosure, `warning` in words beside it."""

    head: tuple[Piece, ...]
    rest: tuple[Piece, ...] = ()
    rest_length: int = 0
    warning: str = ""

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to show."""
        return not self.head


def inert(text: str, *, kind: Kind = Kind.PLAIN) -> Inert:
    """Return `text` so that a page shows every character of it, the invisible ones by their code points."""
    return _inert(text, [(0, len(text), kind)], at_once=SHOWN_AT_ONCE)


def inert_prose(text: str) -> Inert:
    """Return a description, in which authors set names and values between backticks, so that these are seen as such."""
    spans = list[tuple[int, int, Kind]]()
    end = 0
    for found in _CODE.finditer(text):
        spans += [(end, found.start(), Kind.PLAIN), (*found.span(2), Kind.CODE)]
        end = found.end()
    return _inert(text, [*spans, (end, len(text), Kind.PLAIN)], at_once=SHOWN_AT_ONCE)


def inert_name(text: str) -> Inert:
    """Return `text` for a place where a name or a heading stands, and nothing long may."""
    return _inert(text, [(0, len(text), Kind.PLAIN)], at_once=NAME_LENGTH)


def compared(text: str, other: str) -> Inert:
    """Return `text` with the words in which it differs from `other` set apart."""
    start = _common_words(text, other)
    middle = len(text) - _common_words(text[start:][::-1], other[start:][::-1])
    spans = [(0, start, Kind.PLAIN), (start, middle, Kind.CHANGED), (middle, len(text), Kind.PLAIN)]
    return _inert(text, spans, at_once=SHOWN_AT_ONCE)


def _inert(text: str, spans: Sequence[tuple[int, int, Kind]], *, at_once: int) -> Inert:
    flagged = list(_flagged(text))
    head: list[Piece] = []
    rest: list[Piece] = []
    for begin, end, kind in spans:
        cut = min(max(at_once, begin), end)
        head += _pieces(flagged[begin:cut], kind)
        rest += _pieces(flagged[cut:end], kind)
    return Inert(
        head=tuple(head), rest=tuple(rest), rest_length=max(0, len(text) - at_once), warning=warning_about(text)
    )


def _pieces(flagged: Sequence[tuple[str, bool]], kind: Kind) -> Iterator[Piece]:
    for is_marked, run in groupby(flagged, key=itemgetter(1)):
        characters = [character for character, _ in run]
        if is_marked:
            yield from (_mark(character) for character in characters)
        else:
            yield Piece(text="".join(characters), kind=kind)


def is_disguised(shown: object) -> bool:
    """Return whether anything in what a page shows has a warning: a value of a view, or text, or several of either."""
    match shown:
        case Inert():
            return bool(shown.warning)
        case tuple():
            return any(is_disguised(one) for one in cast("tuple[object, ...]", shown))
        case _ if is_dataclass(shown):
            return any(is_disguised(getattr(shown, one.name)) for one in fields(shown))
        case _:
            return False


def warning_about(text: str) -> str:
    """Return in words what a reader should know about `text`, or an empty string."""
    marked = sum(1 for _, is_marked in _flagged(text) if is_marked)
    notes: list[str] = []
    if marked:
        notes.append("1 hidden character" if marked == 1 else f"{marked} hidden characters")
    if mixed := _mixed_word(text):
        notes.append(f"a word that mixes {mixed} letters")
    return f"Contains {' and '.join(notes)}." if notes else ""


def _flagged(text: str) -> Iterator[tuple[str, bool]]:
    combining = 0
    last = len(text) - 1
    for place, character in enumerate(text):
        combining = combining + 1 if unicodedata.combining(character) else 0
        at_the_edge = character == " " and place in {0, last}
        yield character, at_the_edge or combining > _STACK or _is_hidden(character)


def _is_hidden(character: str) -> bool:
    if character == "\n":
        return False
    return character in _TABOO or unicodedata.category(character) in _MARKED_CATEGORIES


def _mark(character: str) -> Piece:
    name = unicodedata.name(character, "control character")
    return Piece(text=f"U+{ord(character):04X}", kind=Kind.MARK, title=name.capitalize())


def _mixed_word(text: str) -> str:
    if text.isascii():
        return ""
    for word in text.split():
        alphabets = {found for letter in word if letter.isalpha() and (found := _alphabet(letter))}
        if len(alphabets) > 1:
            return " and ".join(sorted(name.capitalize() for name in alphabets))
    return ""


def _alphabet(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return next((alphabet for alphabet in _ALPHABETS if name.startswith(alphabet)), "")


def _common_words(one: str, other: str) -> int:
    """Return how many characters both texts start with, in whole words."""
    shorter = min(len(one), len(other))
    length = next((place for place in range(shorter) if one[place] != other[place]), shorter)
    while not (_is_between_words(one, length) and _is_between_words(other, length)):
        length -= 1
    return length


def _is_between_words(text: str, place: int) -> bool:
    return place in {0, len(text)} or text[place - 1].isspace() or text[place].isspace()
