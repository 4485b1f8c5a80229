"""Streams of news that their server leaves: gone on with where it says so, and otherwise not asked for too soon."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

import pytest
from federation_servers import Federated
from scripted_servers import HANGS_UP, OWNER, Asked, Scripted, said, usual
from upstream.fixtures import running

from connectors.mcp_upstream import Owner
from hub.execution import News, NoAnswer, NotNow, NotOffered
from sandbox.mcp.standing import Wanted

pytestmark = pytest.mark.anyio

KIND: Final = "text/event-stream"
SECONDS: Final = 60.0


def stream(body: bytes) -> bytes:
    """Return a stream that its server ends, and the connection with it."""
    return said(body, KIND, headers=HANGS_UP)


def told(uri: str, named: str) -> bytes:
    """Return the event that tells of a change."""
    message = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
    return f"id: {named}\nretry: 100\ndata: {json.dumps(message)}\n\n".encode()


@dataclass
class Newsy:
    """A server that answers who wants to hear news as `answers` say, one after the other."""

    answers: list[bytes]
    session: str = "s1"
    refuses: str = ""
    """What is answered so, however the stream is asked for."""
    asked: list[Asked] = field(default_factory=list[Asked])
    opened: int = 0

    async def answer(self, asked: Asked) -> bytes:
        """Answer one request."""
        self.opened += asked.method == "initialize"
        if self.refuses and asked.method == self.refuses and self.opened > 1:
            return self.answers[0]
        if asked.verb == "GET" or asked.method == "subscriptions/listen":
            self.asked.append(asked)
            return self.answers[len(self.asked) - 1]
        return usual(asked, session=self.session)


@dataclass
class Heard:
    """What came of listening."""

    updated: list[str] = field(default_factory=list[str])
    opened: int = 0
    error: Exception | None = None

    def tell(self, message: Mapping[str, Any]) -> None:
        """Hear one notification."""
        self.updated.append(message["params"]["uri"])

    def open(self) -> None:
        """Hear that there is a stream."""
        self.opened += 1


async def listened(federated: Federated, server: Newsy) -> Heard:
    """Listen to the server until that ends."""
    heard = Heard()
    async with Scripted(server.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        try:
            news = News(uris=["news://a"], tell=heard.tell, opened=heard.open)
            await asyncio.wait_for(house.executor.listen(spec, house.connection, news), SECONDS)
        except (NoAnswer, NotOffered) as error:
            heard.error = error
        await house.executor._upstreams.close()
    return heard


async def test_news_goes_on_in_its_session_after_what_was_last_heard(federated: Federated) -> None:
    more = stream(told("news://b", "e2")), stream(b""), stream(told("news://c", "e3"))
    server = Newsy([stream(told("news://a", "e1")), *more, said(b"", status="404 Not Found")])

    heard = await listened(federated, server)

    assert heard.updated == ["news://a", "news://b", "news://c"]
    assert heard.opened == 1
    assert type(heard.error) is NotNow  # it is lost, and not for that of a server that keeps no streams
    assert [one.headers.get("last-event-id") for one in server.asked] == [None, "e1", "e2", "e2", "e3"]
    assert {one.headers["mcp-session-id"] for one in server.asked} == {"s1"}
    assert server.opened == 2  # to be met, and to be listened to


async def test_news_of_a_server_made_with_the_sdk_goes_on(federated: Federated) -> None:
    heard, opened = asyncio.Queue[Mapping[str, Any]](), list[None]()
    with running("upstream.leaving") as (_, port):
        house = await federated.connect(f"http://127.0.0.1:{port}/mcp")
        spec = await federated.discovered(house, Owner(name="leaving", reads=frozenset({"tell", "leave"})))
        wanted = Wanted(
            version="2025-11-25", uris=["news://a"], tell=heard.put_nowait, opened=lambda: opened.append(None)
        )
        async with house.executor._upstreams.standing(spec, house.connection) as way:
            listening = asyncio.create_task(way.listen(wanted))
            first = None
            while first is None:  # a stream may be there before its server knows of it
                await house.read(spec, "tell", text="news://a")
                try:
                    first = await asyncio.wait_for(heard.get(), 0.5)
                except TimeoutError:
                    continue
            await house.read(spec, "leave", text="")
            for uri in ("news://b", "news://c"):
                await house.read(spec, "tell", text=uri)
            more = [first]
            while more[-1]["params"]["uri"] != "news://c":
                more.append(await asyncio.wait_for(heard.get(), SECONDS))
            is_over = listening.done()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    uris = [one["params"]["uri"] for one in more]
    assert uris[-2:] == ["news://b", "news://c"]
    assert set(uris[:-2]) == {"news://a"}
    assert len(opened) == 1
    assert not is_over


@pytest.mark.parametrize("ends", [b"retry: 4000\n\n", b"retry: 4000\n\n: nothing\n\n", b"id: \nretry: 4000\n\n"])
async def test_who_leaves_a_stream_that_does_not_go_on_says_when_to_come_again(
    federated: Federated, ends: bytes
) -> None:
    server = Newsy([stream(ends)])

    heard = await listened(federated, server)

    assert isinstance(heard.error, NotNow), heard
    assert heard.error.seconds == 4.0
    assert len(server.asked) == 1


BUSY: Final = {
    "so many seconds": ("429 Too Many Requests", "7", 7.0),
    "for ever": ("503 Service Unavailable", "9" * 30, 3600.0),
    "until a day that has passed": ("503 Service Unavailable", formatdate(0, usegmt=True), 0.0),
}


@pytest.mark.parametrize(
    ("session", "refuses"),
    [("s1", ""), ("s1", "initialize"), ("", "")],
    ids=["older stream", "older session", "newer stream"],
)
@pytest.mark.parametrize("busy", BUSY.values(), ids=BUSY)
async def test_who_is_busy_is_left_alone_as_long_as_it_says(
    federated: Federated, session: str, refuses: str, busy: tuple[str, str, float]
) -> None:
    status, after, seconds = busy
    answer = said(b"", status=status, headers=f"retry-after: {after}\r\n")
    server = Newsy([answer], session=session, refuses=refuses)

    heard = await listened(federated, server)

    assert isinstance(heard.error, NotNow), heard
    assert heard.error.seconds == seconds
    assert heard.opened == 0


@pytest.mark.parametrize("headers", ["", "retry-after: soon\r\n"])
async def test_who_does_not_say_for_how_long_is_left_alone_as_usual(federated: Federated, headers: str) -> None:
    server = Newsy([said(b"", status="503 Service Unavailable", headers=headers)])

    heard = await listened(federated, server)

    assert type(heard.error) is not NotNow
    assert isinstance(heard.error, NoAnswer), heard


async def test_a_stream_whose_server_says_that_it_is_over_is_not_gone_on_with(federated: Federated) -> None:
    server = Newsy([stream(told("news://a", "e1") + b'data: {"jsonrpc": "2.0", "id": 1, "result": {}}\n\n')])

    heard = await listened(federated, server)

    assert isinstance(heard.error, NoAnswer), heard
    assert "ended the stream" in str(heard.error)
    assert len(server.asked) == 1


async def test_a_stream_that_comes_packed_is_none_that_can_be_heard(federated: Federated) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {KIND}\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    server = Newsy([head.encode()])  # and nothing more, ever

    heard = await listened(federated, server)

    assert isinstance(heard.error, NoAnswer), heard
    assert "packed" in str(heard.error)
    assert heard.opened == 0
