"""Who listens to a call and is slow, stuck or gone holds up nobody else: not over the pipes that calls share either."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, Final

import pytest
from execution_house import order
from federation_servers import ME, Federated, program

from connectors.mcp_upstream import Owner
from connectors.sdk.wire import WireRequest
from hub.execution import Client, Succeeded
from sandbox.mcp import StdioWay, hearing
from sandbox.mcp.hearing import MOST_ANSWERED, MOST_HEARD, MOST_WAITING, Hearing
from sandbox.programs import Program
from sandbox.sign_in import Proof
from sandbox.upstream import Exchange, Hear

pytestmark = pytest.mark.anyio

NOTE: Final = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
PAIRED: Final = """
import json, sys
SELF = {"name": "x", "version": "1"}
ABOUT = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "serverInfo": SELF}
TAKES = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = {"tools": [{"name": name, "description": name, "inputSchema": TAKES} for name in ("find", "post")]}
waiting = []
def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    elif asked["method"] != "tools/call":
        say({"id": asked["id"], "result": ABOUT if asked["method"] == "server/discover" else TOOLS})
        continue
    token = (asked["params"].get("_meta") or {}).get("progressToken")
    if token is not None:
        say({"method": "notifications/progress", "params": {"progressToken": token, "progress": 10**400}})
    waiting.append(asked["id"])
    while len(waiting) == 2:
        for number in (waiting.pop(), waiting.pop()):
            say({"id": number, "result": {"content": [{"type": "text", "text": "ok"}], "resultType": "complete"}})
"""
"""A server that answers calls in pairs, and says first how far those have come that are heard."""


async def _stuck(_message: Mapping[str, Any]) -> None:
    await asyncio.Event().wait()


async def _gone(_message: Mapping[str, Any]) -> None:
    raise ConnectionError("the client has gone")


def _ask(text: str, hear: Hear | None = None) -> Exchange:
    params = {"name": "echo", "arguments": {"text": text}, "_meta": {"progressToken": 1}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    request = WireRequest(method="POST", path="", headers={"mcp-protocol-version": "2026-07-28"}, body=body)
    return Exchange(request, Proof(headers={}), hear=hear)


async def _nothing() -> dict[str, str]:
    return {}


@pytest.fixture
async def chatty() -> AsyncGenerator[StdioWay]:
    """The way to a program that tells of its progress."""
    way = StdioWay(program("upstream.unruly", "stdio", "chatty"), _nothing)
    await way.probe()
    yield way
    await way.close()


@pytest.mark.parametrize("listener", [_stuck, _gone], ids=["stuck", "gone"])
async def test_a_listener_who_takes_nothing_in_holds_up_nobody_over_the_same_pipes(
    chatty: StdioWay, listener: Callable[[Mapping[str, Any]], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "LISTENER_SECONDS", 0.1)
    reached = asyncio.Event()

    async def hear(message: Mapping[str, Any]) -> None:
        reached.set()
        await listener(message)

    one = asyncio.create_task(chatty.exchange(_ask("one", hear)))
    await reached.wait()
    others = [await chatty.exchange(_ask(text)) for text in ("two", "three")]
    first = await one

    said = [json.loads(each.response.body)["result"]["content"][0]["text"] for each in (first, *others)]
    assert said == ["one", "two", "three"]


async def test_a_listener_who_fails_leaves_no_write_of_others_in_doubt(federated: Federated) -> None:
    paired = Program(command=(sys.executable, "-c", PAIRED), user=ME)
    house = await federated.connect(federated.allow("paired", paired))
    spec = await federated.discovered(house, Owner(name="paired", reads=frozenset({"find"})))

    async def hear(message: Mapping[str, Any]) -> None:
        float(message["params"]["progress"])

    target = house.target(spec, "find")
    wrote, read = await asyncio.gather(
        house.commit(spec, "post", order(), text="b"),
        house.executor.read(target, {"text": "a"}, deadline_seconds=30, client=Client(hear=hear)),
    )

    assert isinstance(wrote.outcome, Succeeded), wrote
    assert isinstance(read.outcome, Succeeded), read


async def test_what_a_slow_listener_cannot_take_in_is_dropped_and_not_kept() -> None:
    heard, may_go_on = list[Any](), asyncio.Event()

    async def hear(message: Mapping[str, Any]) -> None:
        await may_go_on.wait()
        heard.append(message)

    async with Hearing(hear) as call:
        for _ in range(MOST_HEARD * 2):
            call.note(NOTE)
        may_go_on.set()

    assert len(heard) == MOST_WAITING


async def test_a_listener_hears_only_so_much_of_one_call() -> None:
    heard = list[Any]()

    async def hear(message: Mapping[str, Any]) -> None:
        heard.append(message)

    async with Hearing(hear) as call:
        for _ in range(MOST_HEARD * 2):
            call.note(NOTE)
            await asyncio.sleep(0)

    assert len(heard) == MOST_HEARD


async def test_a_question_that_nobody_answers_ends_with_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "LISTENER_SECONDS", 0.1)
    asks = {"jsonrpc": "2.0", "id": 1, "method": "elicitation/create", "params": {}}
    asked = asyncio.Event()

    async def hear(message: Mapping[str, Any]) -> None:
        asked.set()
        await _stuck(message)

    async with Hearing(hear) as call:
        answering = asyncio.create_task(call.answer(asks))
        await asked.wait()

    answer = await answering
    assert answer is not None
    assert answer["error"]["message"] == "This client cannot be asked that."


async def test_only_so_many_questions_are_answered_during_one_call() -> None:
    async with Hearing(None) as call:
        answers = [await call.answer({"method": "ping", "id": number}) for number in range(MOST_ANSWERED + 5)]

    assert [answer is not None for answer in answers] == [True] * MOST_ANSWERED + [False] * 5
