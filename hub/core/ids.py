"""Identifiers: time-ordered, unguessable enough to name things, never used as a capability."""

import os
import re
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def new_id(prefix: str) -> str:
    """Return `prefix_` plus 26 base-32 characters: 48 bits of milliseconds, then 80 random bits.

    Ids of one prefix sort by the time they were made. Source: the ULID layout.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    digits = "".join(_ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{digits}"


def is_id(text: str, prefix: str) -> bool:
    """Return whether `text` has the form of what `new_id(prefix)` returns."""
    return re.fullmatch(rf"{prefix}_[{_ALPHABET}]{{26}}", text) is not None
