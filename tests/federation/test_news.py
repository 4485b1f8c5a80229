"""What servers say of their own accord is heard on streams that stay open: over HTTP and pipes, in both eras."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from execution_house import House
from federation_servers import ME, Federated, program, unruly_over_http
from scripted_servers import OWNER as SCRIPTED
from scripted_servers import Asked, Scripted, said, usual
from upstream.fixtures import running

from connectors.mcp_upstream import Owner
from connectors.sdk.spec import ConnectorSpec
from hub.execution import Client, News, NoAnswer, NotOffered, Succeeded
from sandbox.mcp.standing import Told, Wanted
from sandbox.programs import Program
from sandbox.sign_in import Proof

pytestmark = pytest.mark.anyio

OWNER: Final = Owner(name="newsy", reads=frozenset({"publish"}))
SECONDS: Final = 60.0


@pytest.fixture(scope="module")
def newsy() -> Iterator[str]:
    with running("upstream.newsy") as (_, port):
        yield f"http://127.0.0.1:{port}/mcp"


async def connected(federated: Federated, newsy: str, way: str) -> tuple[House, ConnectorSpec]:
    url = newsy if way == "http" else federated.allow("newsy", program("upstream.newsy", "--stdio"))
    house = await federated.connect(url)
    return house, await federated.discovered(house, OWNER)


@asynccontextmanager
async def listening(house: House, spec: ConnectorSpec, era: str) -> AsyncGenerator["asyncio.Queue[Mapping[str, Any]]"]:
    """Listen to a server until the block ends; yield what is heard."""
    heard, opened = asyncio.Queue[Mapping[str, Any]](), asyncio.Event()

    async def listen() -> None:
        wanted = Wanted(version=era, uris=["news://sports"], tell=heard.put_nowait, opened=opened.set)
        async with house.executor._upstreams.standing(spec, house.connection) as way:
            await way.listen(wanted)

    task = asyncio.create_task(listen())
    try:
        await asyncio.wait_for(opened.wait(), SECONDS)
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("way", "era"), [("http", "2026-07-28"), ("http", "2025-11-25"), ("stdio", "2026-07-28")])
async def test_changes_are_heard_while_nothing_is_asked(federated: Federated, newsy: str, way: str, era: str) -> None:
    house, spec = await connected(federated, newsy, way)
    async with listening(house, spec, era) as heard:
        first = None
        for _ in range(120):  # a stream may be there before its server knows of it
            ran = await house.read(spec, "publish", uri="news://sports")
            assert isinstance(ran.outcome, Succeeded), ran
            try:
                first = await asyncio.wait_for(heard.get(), 0.5)
            except TimeoutError:
                continue
            break
        assert first is not None
        await house.read(spec, "publish", uri="news://weather")
        await house.read(spec, "publish", uri="tools")
        more = [first]
        while more[-1]["method"] != "notifications/tools/list_changed":
            more.append(await asyncio.wait_for(heard.get(), SECONDS))

    updated = [one["params"]["uri"] for one in more if one["method"] == "notifications/resources/updated"]
    assert set(updated) == {"news://sports"}


async def test_an_older_program_is_subscribed_to_and_heard_over_its_pipes(federated: Federated) -> None:
    house = await federated.connect(federated.over_stdio("newsy"))
    spec = await federated.discovered(house)

    async with listening(house, spec, "2025-11-25") as heard:
        await house.read(spec, "echo", text="news://sports")
        told = await asyncio.wait_for(heard.get(), SECONDS)

    assert told["params"] == {"uri": "news://sports"}


LOGGING: Final = """
import json, sys
TAKES = {"type": "object", "properties": {"text": {"type": "string"}}}
ANSWERS = {
    "server/discover": {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}, "logging": {}}},
    "tools/list": {"tools": [{"name": "publish", "description": "Works.", "inputSchema": TAKES}]},
    "tools/call": {"content": [], "resultType": "complete"},
}
def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "subscriptions/listen":
        say({"method": "notifications/tools/list_changed"})
    elif "id" in asked:
        if asked["method"] == "tools/call":
            say({"method": "notifications/message", "params": {"level": "warning", "data": "half way"}})
        say({"id": asked["id"], "result": ANSWERS[asked["method"]]})
"""


async def test_a_call_hears_the_log_of_its_program_while_the_hub_listens_for_news(federated: Federated) -> None:
    logged = list[Mapping[str, Any]]()

    async def hear(message: Mapping[str, Any]) -> None:
        logged.append(message)

    url = federated.allow("logging", Program(command=(sys.executable, "-c", LOGGING), user=ME))
    house = await federated.connect(url)
    spec = await federated.discovered(house, OWNER)
    async with listening(house, spec, "2026-07-28") as heard:
        await asyncio.wait_for(heard.get(), SECONDS)  # the program has read what it was asked to tell
        target = house.target(spec, "publish")
        ran = await house.executor.read(target, {}, deadline_seconds=SECONDS, client=Client(hear=hear))

    assert isinstance(ran.outcome, Succeeded), ran
    assert [one["params"]["data"] for one in logged] == ["half way"]


async def test_a_server_that_keeps_no_streams_says_so(federated: Federated) -> None:
    with unruly_over_http("honest") as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house)
        news = News(uris=(), tell=_nothing, opened=lambda: None)

        with pytest.raises((NotOffered, NoAnswer)):
            await asyncio.wait_for(house.executor.listen(spec, house.connection, news), SECONDS)


def _error(code: int) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": "no"}})


@pytest.mark.parametrize(
    ("session", "status", "body", "meaning"),
    [
        *(("", status, "", NoAnswer) for status in ("400", "401", "403", "404", "409", "429", "500", "503")),
        *(("", status, "", NotOffered) for status in ("200", "405", "406", "501")),
        *(("", status, _error(-32601), NotOffered) for status in ("200", "400", "404")),
        *(("", status, _error(-32603), NoAnswer) for status in ("200", "400", "429")),
        ("", "429", '{"error": "slow down"}', NoAnswer),
        *(("s1", status, "", NoAnswer) for status in ("400", "401", "404", "429", "503")),
        *(("s1", status, "", NotOffered) for status in ("200", "405")),
        ("none", "404", "", NotOffered),
        ("none", "429", "", NoAnswer),
    ],
)
async def test_only_who_says_so_keeps_no_streams_and_others_are_asked_again(
    federated: Federated, session: str, status: str, body: str, meaning: type[Exception]
) -> None:
    async def answer(asked: Asked) -> bytes:
        if asked.verb == "GET" or asked.method == "subscriptions/listen":
            return said(body.encode(), status=f"{status} Whatever")
        told = usual(asked, session=session)
        return told.replace(b"mcp-session-id: none\r\n", b"")

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, SCRIPTED)
        news = News(uris=(), tell=_nothing, opened=lambda: None)

        with pytest.raises(meaning):
            await house.executor.listen(spec, house.connection, news)


async def test_a_flood_on_a_stream_ends_it() -> None:
    event = b'data: {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}\n\n'
    told = _told()

    async def flood() -> None:
        for _ in range(1000):
            await told.take(event * 100)

    with pytest.raises(NoAnswer, match="more than it may"):
        await flood()


async def test_one_event_of_a_stream_is_bounded_and_all_of_them_are_not() -> None:
    event = b'data: {"jsonrpc": "2.0", "method": "notifications/tools/list_changed", "x": "%s"}\n\n' % (b"x" * 100_000)
    told = _told()

    for _ in range(20):
        await told.take(event)
    with pytest.raises(NoAnswer, match="larger than"):
        await told.take(b"data: " + b"x" * 300_000)


async def test_an_answer_on_the_stream_is_its_end_and_a_refusal_that_there_is_none() -> None:
    with pytest.raises(NoAnswer, match="ended the stream"):
        await _told().take(b'data: {"jsonrpc": "2.0", "id": 1, "result": {}}\n\n')
    with pytest.raises(NotOffered):
        await _told().take(b'data: {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no"}}\n\n')


def _nothing(_message: Mapping[str, Any]) -> None:
    """Hear it and do nothing."""


async def _no_reply(_answer: Mapping[str, Any]) -> None:
    """Nobody is there to be answered."""


def _told() -> Told:
    wanted = Wanted(version="2026-07-28", uris=(), tell=_nothing, opened=lambda: None)
    return Told(wanted, Proof(headers={}), _no_reply)
