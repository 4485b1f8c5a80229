"""How a write ends: asked of the hub until it has or patience has; a look that fails is made again, never the write."""

import ast
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from toolhub_clients.pending import WAITING

Json = Any

LONGEST_LOOK: Final = 4
LEAST_PAUSE: Final = 1.0


def ended(look: Callable[[], str], said: str, *, patience: float, least_pause: float = LEAST_PAUSE) -> str:
    """Return how a call has ended of which `said` was told, or what was told last.

    `look` returns what the hub says of it. Whatever it raises only means that nobody knows yet.
    """
    until = time.monotonic() + patience
    while True:
        standing = _looked(look)
        if standing is not None and standing.get("status") not in WAITING:
            return _told(standing) or said
        told = standing or {}
        pause = max(least_pause, float(told.get("poll_after_seconds", 0)) - LONGEST_LOOK)
        if time.monotonic() + pause > until:
            return str(told.get("message") or said)
        time.sleep(pause)


def standing_in(said: str) -> Mapping[str, Json]:
    """Return what `hub_invocation_get` said, as the adapter hands it on: one text, or a list of texts written out."""
    for text in _texts(said):
        with suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict):
                return found
    return {}


def _looked(look: Callable[[], str]) -> Mapping[str, Json] | None:
    try:
        return standing_in(str(look()))
    except Exception:  # noqa: BLE001  # frameworks make a call again that raised, and this one is on record
        return None


def _texts(said: str) -> list[str]:
    with suppress(ValueError, SyntaxError):
        written = ast.literal_eval(said)
        if isinstance(written, list):
            return [str(text) for text in written]
    return [said]


def _told(standing: Mapping[str, Json]) -> str:
    message = str(standing.get("message", ""))
    return f"{json.dumps(standing['result'])} {message}" if "result" in standing else message
