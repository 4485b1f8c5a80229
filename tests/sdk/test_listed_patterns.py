"""Patterns that servers list: what cannot be read is dropped, and no list of them keeps another server waiting."""

import asyncio
from typing import Any

import pytest

from connectors.mcp_upstream.patterns import MOST_READ, drop_patterns

pytestmark = pytest.mark.anyio

Tools = dict[str, dict[str, Any]]


def listed(*patterns: object, where: str = "inputSchema") -> Tools:
    """Return a list with one tool, whose arguments have these patterns."""
    parts = {f"p{number}": {"type": "string", "pattern": one} for number, one in enumerate(patterns)}
    return {"tool": {"name": "tool", where: {"type": "object", "properties": parts}}}


def left(tools: Tools, where: str = "inputSchema") -> list[object]:
    """Return the patterns that are there still."""
    return [part["pattern"] for part in tools["tool"][where]["properties"].values() if "pattern" in part]


@pytest.mark.parametrize("where", ["inputSchema", "outputSchema"])
async def test_what_cannot_be_read_is_left_to_the_server(where: str) -> None:
    tools = listed("^a+$", "^(?!b)", 7, "^a+$", r"\p{L}{100}x", where=where)

    await drop_patterns(tools)

    assert left(tools, where) == ["^a+$", 7, "^a+$"]


async def test_one_list_is_read_only_so_far() -> None:
    patterns = [f"^a{number:04}$" for number in range(MOST_READ + 2)]
    tools = listed(*patterns, "^a0000$")

    await drop_patterns(tools)

    assert left(tools) == [*patterns[:MOST_READ], "^a0000$"]


async def test_what_is_left_does_not_depend_on_the_order_in_which_a_server_lists() -> None:
    patterns = [f"^a{number}$" for number in range(MOST_READ + 20)]
    tools, again = listed(*patterns), listed(*reversed(patterns))

    await drop_patterns(tools)
    await drop_patterns(again)

    assert len(left(tools)) == MOST_READ
    assert left(again) == left(tools)[::-1]


@pytest.mark.parametrize("schema", [None, 7, {"properties": []}, {"anyOf": 7}, {"items": {"properties": "x"}}], ids=str)
async def test_what_is_no_schema_keeps_no_other_from_being_read(schema: object) -> None:
    tools = {"odd": {"name": "odd", "inputSchema": schema}, **listed("^(?!b)")}

    await drop_patterns(tools)

    assert left(tools) == []


async def test_the_look_at_another_server_does_not_wait_for_two_that_list_what_is_hard_to_read() -> None:
    ended = list[str]()

    async def look(name: str, many: int) -> None:
        await drop_patterns(listed(*(rf"\p{{L}}{{100}}{name}{number}" for number in range(many))))
        ended.append(name)

    hard = [asyncio.create_task(look(name, 2 * MOST_READ)) for name in ("one", "two")]
    await asyncio.sleep(0)
    await look("good", 1)
    ended_first = [*ended]
    await asyncio.gather(*hard)

    assert ended_first == ["good"]
