"""Regular expressions of schemas, read nearly as JSON Schema means them (ECMA-262), by a reader that cannot be busied.

Whoever writes a schema may be a vendor or a server that nobody knows, and whoever chooses the text may be an agent:
`^(a+)+$` and thirty letters would hold a backtracking reader, and the whole hub with it, for hours. So a pattern is
read by an automaton, which looks at each character once; its size is bounded, and what a long text takes is counted.
What no automaton can be made of (looking ahead or behind, and repeating what was found) is no pattern here. Automata
are large beside what they are made of, so only those are kept that were used last.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from schemas.bounds import count_steps

_PIECE: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*(?:\]|$)|.", re.DOTALL)
_CLASS: Final = re.compile(r"\\[dDwWsSpP]")
_COUNT: Final = re.compile(r"\{(\d*)(,?)(\d*)\}|[*+?]")
_OF_ONE: Final = re.compile(
    r"\^(\\[dDwWsS]|\\\W|\[(?:\\.|[^\]\\])+\]|[^\\\[\](){}|^$*+?])\{(\d{1,9})(,?)(\d{0,9})\}\$", re.ASCII | re.DOTALL
)
"""`^.{1,65535}$` and the like: so many of one piece, and nothing else."""
LARGEST: Final = 10_000
"""Pieces of a pattern, each as often as it is repeated: what an automaton has to write out."""
_LARGEST_AUTOMATON: Final = RegexOptions(size_limit=256 * 1024, dfa_size_limit=128 * 1024)
"""Bytes, of the automaton and of what it remembers of the texts it has seen."""
_MOST_AUTOMATA: Final = 512
_LONGEST: Final = 4_000
"""Characters."""
_MOST_CLASSES: Final = 100
"""Named classes of characters (`\\d`, `\\p{L}`): reading one takes up to as long as reading the whole pattern does."""
_STEPS_OF_A_PATTERN: Final = 100
_STEPS_OF_A_CLASS: Final = 20
"""Pieces that reading a pattern, or a named class in it, costs at least as much as."""
_COMPARED_IN_A_STEP: Final = 40
"""Pieces, each with one byte: what the reader does in the worst case, some 25 nanoseconds each."""
_BYTES_IN_A_STEP: Final = 512
"""Where there is one piece and nothing to choose, and so nothing that the reader does not remember."""


class PatternUnusable(ValueError):
    """The pattern cannot be read, or is larger than any that says something; the message says which."""


class Pattern:
    """A pattern that has been read."""

    def __init__(self, pattern: str) -> None:
        """Read `pattern` as ECMA-262 has it, but for what 0056 names, with whole characters; it may match anywhere.

        Raises:
            PatternUnusable: it cannot be read.
        """
        if len(pattern) > _LONGEST or len(_CLASS.findall(pattern)) > _MOST_CLASSES:
            raise PatternUnusable(f"a pattern of more than {_LONGEST} characters or {_MOST_CLASSES} classes of them")
        self.size: Final = 1 if (of_one := _OF_ONE.fullmatch(pattern)) else _size(pattern)
        if self.size > LARGEST:
            raise PatternUnusable(f"a pattern that stands for more than {LARGEST} pieces")
        self.cost: Final = self.size + _STEPS_OF_A_PATTERN + _STEPS_OF_A_CLASS * len(_CLASS.findall(pattern))
        """What reading it takes, in pieces."""
        self._in_a_step: Final = _BYTES_IN_A_STEP if of_one else _COMPARED_IN_A_STEP
        self._least, self._most = 0, None
        if of_one:
            piece, least, is_range, most = of_one.groups()
            self._least, self._most = int(least), int(most) if most else None if is_range else int(least)
            pattern = f"^{piece}*$"
        self._read: Final = pattern
        try:
            _automaton(pattern)
        except (ValidationError, ValueError) as error:
            raise PatternUnusable(
                "a pattern that cannot be read, or not in one pass over a text: neither lookarounds nor backreferences"
                r" are known here, nor [], [^], \0, {,3} and a class beside - in brackets (write [\w.-] for [\w-.]),"
                " nor more than some thousands of repetitions"
            ) from error

    def is_in(self, text: str) -> bool:
        """Return whether `text` matches somewhere.

        Raises:
            TooMuchWork: that would take more than there may be.
        """
        count_steps(1 + _bytes_in(text) * self.size // self._in_a_step)
        if len(text) < self._least or (self._most is not None and len(text) > self._most):
            return False
        is_in = _automaton(self._read)
        try:
            return is_in(text)
        except UnicodeEncodeError:  # half a character, which no pattern means
            return is_in(text.encode(errors="replace").decode())


@lru_cache(maxsize=_MOST_AUTOMATA)
def _automaton(pattern: str) -> Callable[[str], bool]:
    """Return what says whether `pattern` is in a text.

    Raises:
        ValidationError, ValueError: it cannot be read, or only into more than an automaton may take.
    """
    return Draft202012Validator({"pattern": pattern}, pattern_options=_LARGEST_AUTOMATON).is_valid


def _bytes_in(text: str) -> int:
    """Return at least how many bytes an automaton sees of `text`, and at most four for each character."""
    return len(text) if text.isascii() else 4 * len(text)


@lru_cache(maxsize=4096)
def compile_pattern(pattern: str) -> Pattern:
    """Return `pattern`, read.

    Raises:
        PatternUnusable: it cannot be read.
    """
    return Pattern(pattern)


def _size(pattern: str) -> int:
    """Return how large a pattern is when its repetitions are written out."""
    groups, end = [0], 0  # the sizes of those that are open
    for piece in _PIECE.finditer(pattern):
        if piece.start() < end:
            continue
        size, end = 1, piece.end()
        if piece[0] == "(":
            groups.append(0)
            continue
        if piece[0] == ")" and len(groups) > 1:
            size += groups.pop()
        times, end = _repeated(pattern, end)
        groups[-1] += size * times
    return sum(groups)


def _repeated(pattern: str, at: int) -> tuple[int, int]:
    """Return how often what ends at `at` is written out, and where its count ends."""
    count = _COUNT.match(pattern, at)
    if count is None or count[0] in {"{}", "{,}"}:
        return 1, at
    if count[0] in {"*", "+", "?"}:
        return 2 - (count[0] == "?"), count.end()
    least, is_range, most = int(count[1] or 0), bool(count[2]), count[3]
    return max(int(most) if most else least + is_range, 1), count.end()
