"""Where the rules of a bundle stand in its text: Cedar names them by number, people by line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_PIECE: Final = re.compile(r'//[^\n]*|"(?:\\.|[^"\\])*"|;|\S')
"""A comment, a string, the end of a rule, or anything else that is not empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A stretch of a bundle's text: its first and last line, counted from 1."""

    first: int
    last: int

    def __str__(self) -> str:
        """Return it in words."""
        return f"line {self.first}" if self.first == self.last else f"lines {self.first} to {self.last}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One rule as it was written, and where."""

    text: str
    place: Place


def rule_stretches(text: str) -> tuple[Stretch, ...]:
    """Return the rules of `text` in their order, each up to its semicolon; what follows the last one is one more."""
    return tuple(_stretches(text))


def _stretches(text: str) -> Iterator[Stretch]:
    start: int | None = None
    end = 0
    for piece in _PIECE.finditer(text):
        if piece[0].startswith("//"):
            continue
        start, end = piece.start() if start is None else start, piece.end()
        if piece[0] == ";":
            yield _stretch(text, start, end)
            start = None
    if start is not None:
        yield _stretch(text, start, end)


def _stretch(text: str, start: int, end: int) -> Stretch:
    place = Place(first=text.count("\n", 0, start) + 1, last=text.count("\n", 0, end) + 1)
    return Stretch(text=text[start:end], place=place)


def comment_blocks(text: str, mark: str) -> Iterator[tuple[Place, str]]:
    """Yield what stands in consecutive lines that begin with `mark`, without it, and where."""
    block, start = list[str](), 0
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.lstrip().startswith(mark):
            start = start if block else number
            block.append(line.lstrip().removeprefix(mark))
        elif block:
            yield Place(first=start, last=number - 1), "\n".join(block)
            block = []
