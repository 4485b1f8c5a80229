"""Tools of the test upstream that take their time: what the suite's scenarios of tasks call."""

import asyncio

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR

from conformance.everything.answers import Answer, Given, Json, Questions, Tells, Tool, form, text

LONGEST_SECONDS = 90.0
_A_WHILE_SECONDS = 1.0
_SURE: Json = {"confirm": {"type": "boolean"}}


async def _greet(given: Given, tells: Tells) -> Answer:
    del tells
    return [text(f"Hello, {given.arguments.get('name', 'stranger')}!")]


async def _compute(given: Given, tells: Tells) -> Answer:
    del tells
    await asyncio.sleep(min(float(given.arguments.get("seconds", 0)), LONGEST_SECONDS))
    return [text(f"Computed {given.arguments.get('label', 'it')}.")]


async def _fail(given: Given, tells: Tells) -> Answer:
    del given, tells
    await asyncio.sleep(_A_WHILE_SECONDS)
    raise ValueError("The job has failed, as it always does.")


async def _break(given: Given, tells: Tells) -> Answer:
    del given, tells
    await asyncio.sleep(_A_WHILE_SECONDS)
    raise MCPError(INTERNAL_ERROR, "The job has broken, as it always does.")


async def _confirm(given: Given, tells: Tells) -> Answer:
    del tells
    if given.form("confirm") is None:
        await asyncio.sleep(_A_WHILE_SECONDS)
        return Questions(asked={"confirm": form("Is that file to be deleted?", _SURE, ["confirm"])})
    return [text(f"{given.arguments.get('filename')} would be deleted, if this were no test.")]


async def _ask_twice(given: Given, tells: Tells) -> Answer:
    del tells
    asked = {"first": form("The first question?", _SURE), "second": form("The second question?", _SURE)}
    if missing := asked.keys() - given.replies.keys():
        await asyncio.sleep(_A_WHILE_SECONDS)
        return Questions(asked={name: asked[name] for name in sorted(missing)})
    return [text("Both were answered.")]


async def _ask_then_work(given: Given, tells: Tells) -> Answer:
    del tells
    filled = given.form("user_name")
    if filled is None:
        name: Json = {"name": {"type": "string"}}
        return Questions(asked={"user_name": form("What is your name?", name, ["name"])})
    await asyncio.sleep(_A_WHILE_SECONDS)
    return [text(f"It took a while, {filled.get('name')}.")]


def _takes(**properties: str) -> Json:
    return {"type": "object", "properties": {name: {"type": kind} for name, kind in properties.items()}}


_SLOW = _takes(seconds="number", label="string")
TOOLS = (
    Tool(name="greet", description="Greets at once.", answer=_greet, schema=_takes(name="string")),
    Tool(name="slow_compute", description="Takes its time.", answer=_compute, schema=_SLOW),
    Tool(name="failing_job", description="Fails after a while.", answer=_fail),
    Tool(name="protocol_error_job", description="Breaks after a while.", answer=_break),
    Tool(name="confirm_delete", description="Looks, then asks.", answer=_confirm, schema=_takes(filename="string")),
    Tool(name="multi_input", description="Looks, then asks two things.", answer=_ask_twice),
    Tool(name="test_tool_with_task", description="Asks, then takes a while.", answer=_ask_then_work),
)
