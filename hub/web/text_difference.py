"""Two texts line by line: what was removed, what was added, and a few lines around."""

import re
from dataclasses import dataclass
from difflib import unified_diff
from typing import Final

from hub.web.inert import Inert, inert

_MOST_LINES: Final = 400
_LONG_LINE: Final = 120
_SENTENCE: Final = re.compile(r"(?<=[.!?;])\s+")
_LONG: Final = 300
_MOST_COMPARED: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLine:
    """One line of the difference between two texts; `sign` is + or -, or a space where both have it."""

    sign: str
    source: Inert


def text_lines(before: str, after: str) -> tuple[TextLine, ...]:
    """Return where two texts differ, line by line, with a few around each place."""
    return _lines(before.splitlines(), after.splitlines())


def long_text_lines(before: str, after: str) -> tuple[TextLine, ...]:
    """Return where two long texts differ, by lines and sentences; nothing where they are short enough to be read.

    Line ends and white space between sentences are not compared: they stand in the texts themselves.
    """
    if max(len(before), len(after)) < _LONG and "\n" not in before + after:
        return ()
    old, new = _passages(before), _passages(after)
    if old == new or max(len(old), len(new)) > _MOST_COMPARED:
        return ()
    return _lines(old, new)


def _passages(text: str) -> list[str]:
    found = list[str]()
    for line in text.splitlines():
        found += _SENTENCE.split(line) if len(line) > _LONG_LINE else [line]
    return found


def _lines(before: list[str], after: list[str]) -> tuple[TextLine, ...]:
    compared = list(unified_diff(before, after, lineterm="", n=2))[2:]
    shown = compared[:_MOST_LINES]
    lines = [_text_line(line) for line in shown]
    if len(compared) > len(shown):
        lines.append(TextLine(sign=" ", source=inert(f"… and {len(compared) - len(shown):,} more lines")))
    return tuple(lines)


def _text_line(line: str) -> TextLine:
    if line.startswith("@@"):
        return TextLine(sign=" ", source=inert("…"))
    return TextLine(sign=line[0], source=inert(line[1:]))
