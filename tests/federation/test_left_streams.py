"""Streams of calls that their server leaves before the answer: gone on with, and nothing done twice."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from execution_house import order
from federation_servers import Federated
from scripted_servers import HANGS_UP, OWNER, USUAL, Asked, Scripted, result, said, usual
from upstream.fixtures import running

from connectors.mcp_upstream import Owner
from connectors.sdk.auth import AuthSpec
from hub.execution import Client, CommitOutcome, Failed, ReadOutcome, Succeeded, Unknown
from sandbox.mcp.events import Events
from sandbox.mcp.resuming import MOST_FAILURES, seconds_before

pytestmark = pytest.mark.anyio

KIND: Final = "text/event-stream"
LOST: Final = b"HTTP/1.1 200 OK\r\n" + HANGS_UP.encode()
"""A connection that ends before it has answered anything."""


def stream(body: bytes, *, status: str = "200 OK") -> bytes:
    """Return a stream that its server ends, and the connection with it."""
    return said(body, KIND, status=status, headers=HANGS_UP)


def cut(body: bytes) -> bytes:
    """Return a stream whose connection breaks."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {KIND}\r\ntransfer-encoding: chunked\r\n{HANGS_UP}\r\n"
    return head.encode() + b"%x\r\n" % (len(body) + 100) + body


def event(message: bytes, named: bytes = b"last") -> bytes:
    """Return an event that carries a message."""
    return b"id: " + named + b"\ndata: " + message + b"\n\n"


@dataclass
class Leaving:
    """A server of the older protocol that begins the answer to a call with `begins`, and goes on as `goes_on` says.

    That is asked with how often it was, and with the event that has the answer.
    """

    begins: bytes
    goes_on: Callable[[int, bytes], bytes]
    version: str = "2025-11-25"
    calls: list[Asked] = field(default_factory=list[Asked])
    asked: list[Asked] = field(default_factory=list[Asked])
    told: list[Asked] = field(default_factory=list[Asked])
    was_told: asyncio.Event = field(default_factory=asyncio.Event)
    at: list[float] = field(default_factory=list[float])

    async def answer(self, asked: Asked) -> bytes:
        """Answer one request."""
        if asked.verb == "GET":
            self.asked.append(asked)
            self.at.append(time.monotonic())
            return self.goes_on(len(self.asked), event(result(self.calls[-1], USUAL["tools/call"])))
        if asked.method == "tools/call":
            self.calls.append(asked)
            self.at.append(time.monotonic())
            return self.begins
        if "result" in asked.message or asked.method == "notifications/cancelled":
            self.told.append(asked)
            self.was_told.set()
        return usual(asked, session="" if self.version > "2026" else "s1")


async def called(
    federated: Federated,
    server: Leaving,
    *,
    seconds: float = 20.0,
    reads: bool = False,
    until: asyncio.Event | None = None,
) -> ReadOutcome | CommitOutcome:
    """Return what a call comes to, a write, or with `reads` a read; the server is there `until` it has heard of it."""
    async with Scripted(server.answer).running() as url:
        house = await federated.connect(url)
        spec = await federated.discovered(house, OWNER)
        if reads:
            ran = await house.read(spec, "find", seconds, text="x")
        else:
            ran = await house.commit(spec, "post", order(seconds=seconds), text="x")
        if until is not None:
            await asyncio.wait_for(until.wait(), 60)
        return ran.outcome


NOTE: Final = b'{"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "half way"}}'
LEFT: Final = {
    "after an event without data": stream(b"id: e1\nretry: 100\ndata: \n\n"),
    "after an event without a field for data": stream(b"id: e1\nretry: 100\n\n"),
    "after a message": stream(b"retry:100\n\nid:e1\ndata:" + NOTE + b"\n\n"),
    "after events without ids": stream(event(NOTE, b"e1") + b"retry: 100\n\ndata: " + NOTE + b"\n\n"),
    "after an id that holds a null": stream(b"id: e1\nretry: 100\n\n" + event(NOTE, b"\0")),
    "before an event is whole": stream(b"id: e1\nretry: 100\n\n" + event(NOTE, b"e2").removesuffix(b"\n")),
    "within a line": stream(b"id: e1\nretry: 100\n\n" + event(NOTE, b"e2").rstrip(b"\n")),
    "by a connection that breaks": cut(b"id: e1\nretry: 100\n\nid: e2\ndata: {"),
    "with other ends of lines": stream(b"id: e1\r\nretry: 100\r\n\r\n: a comment\r\n\r\n"),
}


@pytest.mark.parametrize("reads", [True, False], ids=["a read", "a write"])
@pytest.mark.parametrize("begins", LEFT.values(), ids=LEFT)
async def test_a_call_is_heard_to_its_end_and_asked_for_once(
    federated: Federated, begins: bytes, *, reads: bool
) -> None:
    server = Leaving(begins, lambda _times, answer: stream(answer))

    outcome = await called(federated, server, reads=reads)

    assert isinstance(outcome, Succeeded), outcome
    assert len(server.calls) == len(server.asked) == 1
    sent = server.asked[0].headers
    assert (sent["last-event-id"], sent["mcp-session-id"], sent["accept"]) == ("e1", "s1", KIND)
    assert sent["mcp-protocol-version"] == "2025-11-25"
    assert server.at[1] - server.at[0] >= 0.1


async def test_a_server_that_says_no_time_is_left_alone_for_a_second(federated: Federated) -> None:
    server = Leaving(stream(b"id: e1\n\n"), lambda _times, answer: stream(answer))

    outcome = await called(federated, server)

    assert isinstance(outcome, Succeeded), outcome
    assert server.at[1] - server.at[0] >= 1.0


async def test_a_stream_is_gone_on_with_as_often_as_it_is_left_by_what_was_last_heard(federated: Federated) -> None:
    goes_on = {
        1: stream(b"id: e2\n\n"),
        2: stream(b""),
        3: cut(b"retry: 200\n\nid: e3\n\nid: e4\n"),
        4: LOST,
        5: said(b"", status="503 Service Unavailable", headers="retry-after: 1\r\n"),
        6: stream(b": nothing yet\n\n"),
        7: LOST,
        8: LOST,
    }
    server = Leaving(stream(b"id: e1\nretry: 0\n\n"), lambda times, answer: goes_on.get(times) or stream(answer))

    outcome = await called(federated, server)

    assert isinstance(outcome, Succeeded), outcome
    assert len(server.calls) == 1
    assert [one.headers["last-event-id"] for one in server.asked] == ["e1", "e2", "e2", *["e3"] * 6]
    assert server.at[1] - server.at[0] >= 0.1
    assert all(later - earlier >= 0.2 for earlier, later in zip(server.at[3:], server.at[4:], strict=False))
    assert server.at[6] - server.at[5] >= 1.0


async def test_what_a_server_asks_on_the_rest_of_a_stream_is_answered_in_its_session(federated: Federated) -> None:
    ping = event(b'{"jsonrpc": "2.0", "id": "p1", "method": "ping"}', b"e2")
    server = Leaving(stream(b"id: e1\nretry: 0\n\n"), lambda _times, answer: stream(ping + answer))

    outcome = await called(federated, server)

    assert isinstance(outcome, Succeeded), outcome
    assert [(one.message["id"], one.headers["mcp-session-id"]) for one in server.told] == [("p1", "s1")]


REFUSED: Final = {
    "no such method": said(b"", status="405 Method Not Allowed"),
    "no such session": said(b"", status="404 Not Found"),
    "no such event": said(b'{"error": "no"}', status="400 Bad Request"),
    "not allowed": said(b"", status="403 Forbidden"),
    "broken": said(b"", status="500 Internal Server Error"),
    "nothing more": said(b"", status="204 No Content"),
    "no stream": said(b"{}"),
    "a stream of a refusal": stream(b"id: e2\n\n", status="404 Not Found"),
}


@pytest.mark.parametrize("answer", REFUSED.values(), ids=REFUSED)
async def test_a_server_that_does_not_go_on_is_not_asked_to_again(federated: Federated, answer: bytes) -> None:
    server = Leaving(stream(b"id: e1\nretry: 0\n\n"), lambda _times, _answer: answer)

    wrote = await called(federated, server)
    calls, asked = len(server.calls), len(server.asked)
    read = await called(federated, server, reads=True)

    assert isinstance(wrote, Unknown), wrote
    assert "left the stream before its answer. It does not go on with it (" in wrote.message
    assert isinstance(read, Failed), read
    assert (calls, asked) == (1, 1)
    assert (len(server.calls) - calls, len(server.asked) - asked) == (2, 2)  # a read is asked again


@pytest.mark.parametrize(
    "answer",
    [LOST, said(b"", status="429 Too Many Requests"), said(b"", status="409 Conflict")],
    ids=["lost", "busy", "not yet"],
)
async def test_a_server_that_is_not_there_to_go_on_is_given_up_soon(federated: Federated, answer: bytes) -> None:
    server = Leaving(stream(b"id: e1\nretry: 0\n\n"), lambda _times, _answer: answer)

    wrote = await called(federated, server)

    assert isinstance(wrote, Unknown), wrote
    assert (len(server.calls), len(server.asked)) == (1, MOST_FAILURES)


UNFIT: Final = {
    "none": b"data: \n\n",
    "one that is not whole": b"id: e1\n",
    "none any more": b"id: e1\n\nid:\n\n",
    "none any more, without a colon": b"id: e1\n\nid\n\n",
    "too long": b"id: " + b"e" * 5000 + b"\n\n",
    "not ASCII": "id: \u00e9\n\n".encode(),
    "a control character": b"id: e\x01\n\n",
    "a blank at its end": b"id: e1 \n\n",
    "a blank alone": b"id:  \n\n",
}


@pytest.mark.parametrize("begins", UNFIT.values(), ids=UNFIT)
async def test_a_stream_is_not_gone_on_with_by_an_id_that_no_header_carries(
    federated: Federated, begins: bytes
) -> None:
    server = Leaving(stream(b"retry: 0\n" + begins), lambda _times, answer: stream(answer))

    wrote = await called(federated, server)

    assert isinstance(wrote, Unknown), wrote
    assert (len(server.calls), len(server.asked)) == (1, 0)


async def test_a_stream_whose_id_is_taken_back_on_the_way_is_not_gone_on_with(federated: Federated) -> None:
    server = Leaving(stream(b"id: e1\nretry: 0\n\n"), lambda _times, _answer: stream(b"id:\n\n"))

    wrote = await called(federated, server)

    assert isinstance(wrote, Unknown), wrote
    assert (len(server.calls), len(server.asked)) == (1, 1)


async def test_streams_of_the_newer_protocol_are_not_gone_on_with(federated: Federated) -> None:
    server = Leaving(stream(b"id: e1\nretry: 0\n\n"), lambda _times, answer: stream(answer), version="2026-07-28")

    wrote = await called(federated, server)

    assert isinstance(wrote, Unknown), wrote
    assert (len(server.calls), len(server.asked)) == (1, 0)


async def test_a_server_that_hangs_up_for_ever_is_asked_less_and_less_until_the_call_ends(federated: Federated) -> None:
    server = Leaving(stream(b"id: e0\nretry: 0\n\n"), lambda times, _answer: stream(b"id: e%d\n\n" % times))

    read = await called(federated, server, seconds=2.0, reads=True)

    assert isinstance(read, Failed), read
    assert read.code == "out_of_time"
    assert len(server.calls) == 1
    assert 1 <= len(server.asked) <= 2.0 / 0.1


@pytest.mark.parametrize("reads", [True, False], ids=["a read", "a write"])
async def test_a_call_ends_in_time_and_is_taken_back_while_its_server_wants_to_be_left_alone(
    federated: Federated, *, reads: bool
) -> None:
    server = Leaving(stream(b"id: e1\nretry: 1000000000000\n\n"), lambda _times, answer: stream(answer))

    outcome = await called(federated, server, seconds=1.0, reads=reads, until=server.was_told)

    assert isinstance(outcome, Failed if reads else Unknown), outcome
    assert (len(server.calls), len(server.asked)) == (1, 0)
    assert [one.message["params"]["requestId"] for one in server.told] == [server.calls[0].message["id"]]


async def test_all_connections_of_a_stream_together_bring_no_more_than_one_answer_may(federated: Federated) -> None:
    much = event(json.dumps({"jsonrpc": "2.0", "method": "x", "params": "x" * 3_000_000}).encode(), b"e2")
    server = Leaving(stream(b"retry: 0\n" + much), lambda _times, answer: stream(much + answer))

    wrote = await called(federated, server)

    assert isinstance(wrote, Unknown), wrote
    assert "larger than" in wrote.message
    assert (len(server.calls), len(server.asked)) == (1, 1)


async def test_who_is_no_longer_known_while_a_stream_is_left_signs_in_again(federated: Federated) -> None:
    logins = list[str]()
    login = {"path": "/login", "body": '{"name": "{name}"}', "credentials": "{/token}", "encoding": "plain"}
    owner = Owner(name="s", auth=AuthSpec(kind="session_login", secret_fields=("name",), parameters=login))
    server = Leaving(stream(b"id: e1\nretry: 0\n\n"), lambda _times, answer: stream(answer))

    async def answer(asked: Asked) -> bytes:
        if "name" in asked.message:
            logins.append(f"t{len(logins)}")
            return said(json.dumps({"token": logins[-1]}).encode())
        if asked.verb == "GET" and asked.headers["authorization"] == "Bearer t0":
            return said(b"", status="401 Unauthorized")
        return await server.answer(asked)

    async with Scripted(answer).running() as url:
        house = await federated.connect(url)
        house.connection = await house.connect(url, {"name": "hub"})
        spec = await federated.discovered(house, owner)
        wrote = await house.commit(spec, "post", order(), text="x")

    assert isinstance(wrote.outcome, Succeeded), wrote
    assert logins == ["t0", "t1"]
    assert [one.headers["authorization"] for one in (*server.calls, *server.asked)] == ["Bearer t0", "Bearer t1"]


async def test_calls_of_a_server_made_with_the_sdk_are_heard_to_their_end(federated: Federated) -> None:
    heard = list[Mapping[str, Any]]()

    async def hear(message: Mapping[str, Any]) -> None:
        heard.append(message)

    with running("upstream.leaving") as (_, port):
        house = await federated.connect(f"http://127.0.0.1:{port}/mcp")
        spec = await federated.discovered(house, Owner(name="leaving", reads=frozenset({"posted"})))
        wrote = await house.commit(spec, "post", order(), text="one")
        target = house.target(spec, "posted")
        read = await house.executor.read(target, {"text": ""}, deadline_seconds=20, client=Client(hear=hear))

    assert isinstance(wrote.outcome, Succeeded), wrote
    assert isinstance(read.outcome, Succeeded), read
    assert read.outcome.output["content"][0]["text"] == "one"
    assert [one["params"]["data"] for one in heard] == [1, 2, 3]
    assert len(read.passage.transcript) == 1


@pytest.mark.parametrize(
    ("said_so", "seconds"),
    [
        (b"0", 0.0),
        (b"1500", 1.5),
        (b"1" + b"0" * 12, 1e9),
        (b"9" * 5000, 1e12),
        *((no, None) for no in (b"-1", b"1.5")),
    ],
    ids=["none", "some", "much", "no number of anything", "less than none", "a part"],
)
def test_what_a_server_says_of_the_time_is_read_where_it_is_a_number(said_so: bytes, seconds: float | None) -> None:
    events = Events(100_000)

    assert [*events.feed(b"retry: " + said_so + b"\n\nretry: \xd9\xa1\n\nretry\n\n")] == []
    assert events.retry_seconds == pytest.approx(seconds)


def test_nobody_waits_less_than_a_moment_or_more_than_an_hour_and_each_time_takes_longer() -> None:
    assert [seconds_before(0, asked_for) for asked_for in (None, 0.0, 0.3, 1e9)] == [1.0, 0.1, 0.3, 3600.0]
    assert [round(seconds_before(times, 0.15), 2) for times in (1, 10, 100)] == [0.15, 0.2, 1.1]
