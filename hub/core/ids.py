"""Identifiers: time-ordered, unguessable enough to name things, never used as a capability."""

import hashlib
import os
import re
import time
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u
_OF_2026 = 0x019F  # the first sixteen bits of the milliseconds in the middle of that year


_A_SECOND = 1000 << 80


class _Ascending:
    """The numbers in ids of this process: each is larger than the one before, unless the clock was set back."""

    def __init__(self) -> None:
        self._last = 0

    def next(self) -> int:
        fresh = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
        if 0 <= self._last - fresh < _A_SECOND:  # of the same millisecond, or the clock was set right
            fresh = self._last + 1 + int.from_bytes(os.urandom(8))
        self._last = fresh
        return fresh


_NUMBERS = _Ascending()


def new_id(prefix: str) -> str:
    """Return `prefix_` plus 26 base-32 characters: 48 bits of milliseconds, then 80 random bits.

    Ids of one prefix sort by the time they were made, those of one process in the very order. Source: the ULID layout.
    """
    return _id(prefix, _NUMBERS.next())


def earliest_id(prefix: str, at: datetime) -> str:
    """Return what no id of this prefix that was made at `at` or later sorts before."""
    return _id(prefix, max(0, int(at.timestamp() * 1000)) << 80)


def derived_id(prefix: str, seed: str) -> str:
    """Return what looks like an id of the year 2026 and is the same for the same `seed`, whenever it is made."""
    return _id(prefix, _OF_2026 << 112 | int.from_bytes(hashlib.sha256(seed.encode()).digest()[:14]))


def _id(prefix: str, value: int) -> str:
    digits = "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{digits}"


def is_id(text: str, prefix: str) -> bool:
    """Return whether `text` has the form of what `new_id(prefix)` returns."""
    return re.fullmatch(rf"{prefix}_[{_ALPHABET}]{{26}}", text) is not None
