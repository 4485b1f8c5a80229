"""The patterns of a server's tools: those that cannot be read in one pass over a text are left to the server."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, cast

from connectors.mcp_upstream.apart import apart, each_apart
from connectors.sdk.portable import parts_of
from schemas.patterns import PatternUnusable, compile_pattern

Json = Any
"""Any JSON value."""

MOST_READ: Final = 2_000
"""Different patterns of one list, the first by their text; the others are left to the server unread."""


async def drop_patterns(tools: Mapping[str, Mapping[str, Json]]) -> None:
    """Take the patterns out of the schemas of `tools` that cannot be read; their server checks them itself.

    Which of too many are not read does not depend on the order in which the server names them.
    """
    parts = await apart(lambda: [part for tool in tools.values() for part in _with_pattern(tool)])
    known = sorted({str(part["pattern"]) for part in parts})[:MOST_READ]
    readable = await each_apart(_is_usable, known)
    usable = {pattern for pattern, can_be_read in zip(known, readable, strict=True) if can_be_read}
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


def _is_usable(pattern: str) -> bool:
    try:
        compile_pattern(pattern)
    except PatternUnusable:
        return False
    return True
