"""Regular expressions of schemas, read as JSON Schema means them (ECMA-262), by a reader that cannot be kept busy.

Whoever writes a schema may be a vendor or a server that nobody knows, and whoever chooses the text may be an agent:
`^(a+)+$` and thirty letters would hold a backtracking reader, and the whole hub with it, for hours. So a pattern is of
bounded size with its repetitions written out, and matching it is given a bounded time.
"""

import re
from functools import lru_cache
from typing import Final

import regex

_DOLLAR: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\$", re.DOTALL)
_PIECE: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|[()|]|.", re.DOTALL)
_COUNT: Final = re.compile(r"\{(\d*)(,?)(\d*)\}|[*+?]")
_LARGEST: Final = 100_000
"""Pieces of a pattern, each as often as it is repeated: what a reader may have to write out."""
_SECONDS: Final = 0.1
"""Of computing; an ordinary pattern takes microseconds."""


class PatternUnusable(ValueError):
    """The pattern cannot be read, or is larger than any that says something; the message says which."""


class TooSlow(Exception):
    """Whether the text matches was not found out in the time there is; so nothing may be concluded from it."""


class Pattern:
    """A pattern that has been read."""

    def __init__(self, pattern: str) -> None:
        r"""Read `pattern` so that `$` is the very end of the text and `\d` and `\w` are ASCII.

        Python's own `$` also matches before a last line feed, so that "7\n" would pass for a number.

        Raises:
            PatternUnusable: it cannot be read.
        """
        if len(pattern) > _LARGEST or _Reading(pattern).size > _LARGEST:
            raise PatternUnusable(f"a pattern that stands for more than {_LARGEST} pieces")
        ended = _DOLLAR.sub(lambda found: r"\Z" if found[0] == "$" else found[0], pattern)
        try:
            self._compiled = regex.compile(ended, regex.ASCII | regex.VERSION0)
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            raise PatternUnusable(f"a pattern that cannot be read: {error}") from error

    def is_in(self, text: str) -> bool:
        """Return whether `text` matches somewhere.

        Raises:
            TooSlow: that would take too long to find out.
        """
        try:
            return self._compiled.search(text, timeout=_SECONDS) is not None
        except TimeoutError as error:
            raise TooSlow from error


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> Pattern:
    """Return `pattern`, read.

    Raises:
        PatternUnusable: it cannot be read.
    """
    return Pattern(pattern)


def is_simple(pattern: str) -> bool:
    """Return whether nothing that is repeated has itself something repeated or a choice in it: any reader is quick."""
    return _Reading(pattern).is_simple


class _Reading:
    """How large a pattern is when its repetitions are written out, and whether they stand within each other."""

    def __init__(self, pattern: str) -> None:
        self.is_simple = True
        self._pattern = pattern
        self.size = self._sized()

    def _sized(self) -> int:
        groups: list[tuple[int, bool]] = [(0, False)]  # of those that are open: the size, and whether something varies
        end = 0
        for piece in _PIECE.finditer(self._pattern):
            if piece.start() < end:
                continue
            size, varies, end = 1, piece[0] == "|", piece.end()
            if piece[0] == "(":
                groups.append((0, False))
                continue
            if piece[0] == ")" and len(groups) > 1:
                size, varies = groups.pop()
            times, is_open, end = self._repeated(end)
            self.is_simple = self.is_simple and not (varies and times > 1 and piece[0] == ")")
            before, has_varied = groups.pop()
            groups.append((before + size * times, has_varied or varies or is_open))
        return sum(size for size, _ in groups)

    def _repeated(self, at: int) -> tuple[int, bool, int]:
        """Return how often what ends at `at` is written out, whether that varies, and where its count ends."""
        count = _COUNT.match(self._pattern, at)
        if count is None or count[0] in {"{}", "{,}"}:
            return 1, False, at
        if count[0] in {"*", "+"}:
            return 2, True, count.end()
        if count[0] == "?":
            return 1, True, count.end()
        least, is_range, most = int(count[1] or 0), bool(count[2]), count[3]
        times = int(most) if most else least + is_range
        return max(times, 1), is_range, count.end()
