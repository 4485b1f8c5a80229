"""The patterns of a server's tools: those that cannot be read in one pass over a text are left to the server."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from connectors.mcp_upstream.apart import apart
from connectors.sdk.portable import parts_of
from schemas.patterns import PatternUnusable, compile_pattern

Json = Any
"""Any JSON value."""

MOST_READ: Final = 2_000
"""Different patterns of one list; what comes after them is left to the server unread."""
_AT_A_TIME: Final = 50
"""Read before another server's turn comes: each may take a millisecond, of which nobody knows it beforehand."""


async def drop_patterns(tools: Mapping[str, Mapping[str, Json]]) -> None:
    """Take the patterns out of the schemas of `tools` that cannot be read; their server checks them itself."""
    parts = await apart(lambda: [part for tool in tools.values() for part in _with_pattern(tool)])
    known = list(dict.fromkeys(str(part["pattern"]) for part in parts))[:MOST_READ]
    usable = set[str]()
    for at in range(0, len(known), _AT_A_TIME):
        usable |= await apart(partial(_usable, known[at : at + _AT_A_TIME]))
    for part in parts:
        if part["pattern"] not in usable:
            del part["pattern"]


def _with_pattern(tool: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    for named in ("inputSchema", "outputSchema"):
        if isinstance(schema := tool.get(named), dict):
            with suppress(AttributeError, TypeError):  # it is no schema, and its tool is left out for that
                parts = parts_of(cast("dict[str, Json]", schema))
                yield from (part for part in parts if isinstance(part.get("pattern"), str))


def _usable(patterns: Sequence[str]) -> set[str]:
    found = set[str]()
    for pattern in patterns:
        try:
            compile_pattern(pattern)
        except PatternUnusable:
            continue
        found.add(pattern)
    return found
