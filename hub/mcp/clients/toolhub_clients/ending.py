"""How a write ends: asked of the hub until it has or patience has; a look that fails is made again, never the write."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from anyio import fail_after, move_on_after, sleep

from toolhub_clients.pending import WAITING, Pending

Json = Any

LONGEST_HELD: Final = 4
"""Seconds for which the hub holds a look until there is something to tell."""
LONGEST_LOOK: Final = 15.0
"""Seconds after which the answer to a look counts as lost."""
LEAST_PAUSE: Final = 1.0


async def ended(
    look: Callable[[], Awaitable[Mapping[str, Json]]],
    pending: Pending,
    *,
    patience: float,
    longest_look: float = LONGEST_LOOK,
    least_pause: float = LEAST_PAUSE,
) -> str:
    """Return how a call has ended, or, after `patience` seconds, what was told of it last.

    `look` returns what the hub says of it. Whatever it raises, and an answer that never comes, only mean that nobody
    knows yet; so does an answer that is not about this call.
    """
    told, pause = pending.message, least_pause
    with move_on_after(patience):
        while True:
            standing = await _looked(look, longest_look)
            if standing.get("invocation_id") == pending.invocation_id:
                if standing.get("status") not in WAITING:
                    return _told(standing)
                told = str(standing.get("message") or told)
                pause = max(least_pause, float(standing.get("poll_after_seconds", 0)) - LONGEST_HELD)
            await sleep(pause)
    return told


async def _looked(look: Callable[[], Awaitable[Mapping[str, Json]]], seconds: float) -> Mapping[str, Json]:
    try:
        with fail_after(seconds):
            return await look()
    except Exception:  # noqa: BLE001  # frameworks make a call again that raised, and this one is on record
        return {}


def _told(standing: Mapping[str, Json]) -> str:
    message = str(standing.get("message", ""))
    return f"{json.dumps(standing['result'])} {message}" if "result" in standing else message
