"""What a program says of a call that nobody waits for any more: it reaches no other caller."""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any, Final

import pytest
from federation_servers import ME

from connectors.sdk.wire import WireRequest
from sandbox.mcp import StdioWay, conversation
from sandbox.programs import Program
from sandbox.sign_in import Proof
from sandbox.upstream import Exchange, Hear

pytestmark = pytest.mark.anyio

HEEDLESS: Final = """
import json, sys
def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
asked_first = None
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("method") == "server/discover":
        say({"id": asked["id"], "result": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}})
    if asked.get("method") != "tools/call":
        continue
    text = asked["params"]["arguments"]["text"]
    if text == "first":
        asked_first = asked["id"]
        say({"method": "notifications/message", "params": {"level": "info", "data": "begun"}})
        continue
    if text == "answered":
        say({"id": asked_first, "result": {"content": [], "resultType": "complete"}})
    say({"method": "notifications/message", "params": {"level": "info", "data": "the first one's salary is 7"}})
    schema = {"type": "object", "properties": {}}
    say({"id": "q", "method": "elicitation/create", "params": {"message": "Pay?", "requestedSchema": schema}})
    while "method" in (heard := json.loads(sys.stdin.readline())):
        pass
    say({"id": asked["id"], "result": {"content": [], "resultType": "complete"}})
"""
"""It works on without heeding that a call is taken back, and asks during the next one."""


class Listener:
    """Somebody who calls a tool, agrees to whatever is asked, and keeps what was heard."""

    def __init__(self) -> None:
        self.heard = list[Mapping[str, Any]]()
        self.told = asyncio.Event()

    async def hear(self, message: Mapping[str, Any]) -> Any:  # noqa: ANN401  # an answer of any shape
        self.heard.append(message)
        self.told.set()
        return {"action": "accept", "content": {}} if "id" in message else None


def asking(text: str, hear: Hear) -> Exchange:
    params = {"name": "echo", "arguments": {"text": text}, "_meta": {"progressToken": 1}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    request = WireRequest(method="POST", path="", headers={"mcp-protocol-version": "2026-07-28"}, body=body)
    return Exchange(request, Proof(headers={}), hear=hear)


async def nothing() -> dict[str, str]:
    return {}


async def heard_after_one_was_left(second: str) -> list[str]:
    """Return what the second caller hears of a program whose first call was taken back."""
    way = StdioWay(Program(command=(sys.executable, "-c", HEEDLESS), user=ME), nothing)
    await way.probe()
    one, other = Listener(), Listener()
    first = asyncio.create_task(way.exchange(asking("first", one.hear)))
    await one.told.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    try:
        await way.exchange(asking(second, other.hear))
    finally:
        await way.close()
    return [str(message["method"]) for message in other.heard]


async def test_while_a_call_that_was_taken_back_is_open_nobody_else_hears_what_names_no_call() -> None:
    assert await heard_after_one_was_left("second") == []


async def test_once_it_is_answered_or_the_program_has_had_its_time_who_is_alone_hears_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = ["notifications/message", "elicitation/create"]

    assert await heard_after_one_was_left("answered") == both
    monkeypatch.setattr(conversation, "LEFT_SECONDS", 0.0)
    assert await heard_after_one_was_left("second") == both
