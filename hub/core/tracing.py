"""Trace ids: taken from the caller's `traceparent` when it has one, made new otherwise."""

import os
import re
from typing import Final

_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_LONGEST: Final = 256


def trace_id_of(traceparent: str | None) -> str:
    """Return the trace id in a W3C `traceparent`, or a new one if there is none that can be read.

    Source: W3C Trace Context, section 3.2.
    """
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent and len(traceparent) <= _LONGEST else None
    return match[1] if match else os.urandom(16).hex()
