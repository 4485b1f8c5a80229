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
"""Different patterns of one list, the first by their text; the others are left to the server unread."""
_AT_A_TIME: Final = 50
"""Read before another server's turn comes: each may take a millisecond, of which nobody knows it beforehand."""


async def drop_patterns(tools: Mapping[str, Mapping[str, Json]]) -> None:
    """Take the patterns out of the schemas of `tools` that cannot be read; their server checks them itself.

    Which of too many are not read does not depend on the order in which the server names them.
    """
    parts = await apart(lambda: [part for tool in tools.values() for part in _with_pattern(tool)])
    known = sorted({str(part["pattern"]) for part in parts})[:MOST_READ]
    usable = set[str]()
    for at in range(0, len(known), _AT_A_TIME):
        usable |= await apart(partial(_usable, known[at : at + _AT_A_TIME]))
    await apart(partial(_drop_others, parts, usable))


def _drop_others(parts: Sequence[dict[str, Json]], usable: set[str]) -> None:
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
