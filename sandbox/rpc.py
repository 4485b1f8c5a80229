"""Reading the operation's name out of a JSON-RPC body, strictly: the broker believes the body and nobody's word."""

import json
from typing import Any

Json = Any
"""Any JSON value."""


def operation_in(body: str | None) -> str | None:
    """Return the method that a JSON-RPC request calls, or None if it is not exactly one request.

    A key that stands twice makes it None: two readers could read two methods.
    """
    if body is None:
        return None
    try:
        request = json.loads(body, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    method = request.get("method") if isinstance(request, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON
    return method if isinstance(method, str) else None


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members
