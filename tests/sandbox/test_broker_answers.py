"""What an answer is worth: which ends of a request are clear, and which leave its outcome unknown."""

import asyncio
import gzip
import time
from collections.abc import Callable

import pytest
from sandbox_broker import (
    DRAFTS,
    MCP,
    PLAIN,
    RPC,
    call,
    channel_to,
    fates,
    get,
    granted,
    post,
    refusing_port,
    rpc,
    upstream_at,
)
from sandbox_server import Reply, Server
from upstream.faults import Fault
from upstream.fixtures import Upstream as System

from connectors.sdk.errors import Unavailable, Unknown
from connectors.sdk.spec import ConnectorSpec
from sandbox.broker import Bounds, ChannelKind, Stopped
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

READ, PREVIEW, WRITE = ChannelKind.READ, ChannelKind.PREVIEW, ChannelKind.WRITE
LOST = [
    *(Fault.DROP_BEFORE, Fault.ERROR_BEFORE, Fault.UNAVAILABLE, Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.HTML),
    *(Fault.REDIRECT, Fault.CUT, Fault.HUGE, Fault.ENDLESS, Fault.GARBAGE),
]


@pytest.mark.parametrize("fault", LOST)
async def test_a_write_whose_answer_says_nothing_clear_is_unknown(
    fault: Fault, to_items: Upstream, upstream: System
) -> None:
    upstream.store.plan_fault(fault, method="POST")
    channel = channel_to(to_items, WRITE, bounds=Bounds(unsafe_requests=1, answer_bytes=1_000_000))

    with pytest.raises(Unknown):
        await channel.send(post())

    assert fates(channel) == [Fate.UNKNOWN]


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.HANG_AFTER])
async def test_a_write_that_is_not_answered_in_time_is_unknown(
    fault: Fault, to_items: Upstream, upstream: System
) -> None:
    upstream.store.plan_fault(fault, method="POST")
    channel = channel_to(to_items, WRITE)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await channel.send(post())

    assert fates(channel) == [Fate.UNKNOWN]


async def test_a_write_that_is_refused_is_answered(to_items: Upstream, upstream: System) -> None:
    upstream.store.plan_fault(Fault.THROTTLED, method="POST")
    channel = channel_to(to_items, WRITE)

    answer = await channel.send(post())

    assert answer.status == 429
    (entry,) = channel.transcript.left
    assert entry.answer is not None
    assert entry.answer.says_no


@pytest.mark.parametrize(
    "base_url_of",
    [lambda _: f"http://127.0.0.1:{refusing_port()}", lambda server: server.base_url.replace("http:", "https:")],
    ids=["refused", "TLS fails"],
)
async def test_a_write_that_never_left_is_not_sent(base_url_of: Callable[[Server], str], server: Server) -> None:
    way = upstream_at(base_url_of(server))
    channel = channel_to(way, WRITE)

    with pytest.raises(Unavailable, match="nothing was sent"):
        await channel.send(post())

    assert fates(channel) == [Fate.NOT_SENT]
    assert channel.transcript.left == []
    await way.close()


async def test_a_deadline_during_the_permit_waits_for_it_and_sends_nothing(way: Upstream, server: Server) -> None:
    """Half a permit would leave it open whether "sent" is on record."""
    asked, may_end, has_ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def permit() -> None:
        asked.set()
        await may_end.wait()
        has_ended.set()

    channel = channel_to(way, WRITE, permit=permit)
    sending = asyncio.create_task(channel.send(post()))
    await asked.wait()

    sending.cancel()
    await asyncio.sleep(0)
    assert not sending.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert has_ended.is_set()
    assert fates(channel) == [Fate.NOT_SENT]
    assert server.asked == []


@pytest.mark.parametrize("fault", [Fault.DROP_BEFORE, Fault.CUT, Fault.GARBAGE])
async def test_a_read_is_tried_once_more_on_a_new_connection(
    fault: Fault, to_items: Upstream, upstream: System
) -> None:
    upstream.store.plan_fault(fault, method="GET")
    channel = channel_to(to_items)

    answer = await channel.send(get())

    assert answer.status == 200
    assert fates(channel) == [Fate.NO_ANSWER, Fate.ANSWERED]
    assert len(upstream.store.requests()) == 2


async def test_what_is_asked_again_counts_towards_the_requests_allowed(to_items: Upstream, upstream: System) -> None:
    upstream.store.plan_fault(Fault.CUT, method="GET")
    channel = channel_to(to_items, bounds=Bounds(requests=1))

    with pytest.raises(Stopped, match="more than 1 requests"):
        await channel.send(get())

    assert len(upstream.store.requests()) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_what_may_open_a_draft_is_not_asked_again_because_the_system_is_busy(
    status: int, way: Upstream, server: Server
) -> None:
    server.answer = lambda _: Reply(status=status)
    channel = channel_to(way, PREVIEW, spec=DRAFTS, bounds=Bounds(pauses=(0, 0)))

    assert (await channel.send(post("/drafts"))).status == status
    assert len(server.asked) == 1
    await channel.send(get())
    assert len(server.asked) == 4


async def test_what_may_open_a_draft_is_not_asked_again_when_its_answer_is_lost(way: Upstream, server: Server) -> None:
    channel = channel_to(way, PREVIEW, spec=DRAFTS)
    await channel.send(get())  # leaves a line behind that could be used again
    server.answer = lambda _: Reply(raw=b"")

    with pytest.raises(Unavailable):
        await channel.send(post("/drafts"))

    assert [asked.method for asked in server.asked] == ["GET", "POST"]
    assert server.connections == 2
    assert fates(channel) == [Fate.ANSWERED, Fate.NO_ANSWER]


async def test_a_read_without_an_answer_is_unavailable(to_items: Upstream, upstream: System) -> None:
    upstream.kill()
    channel = channel_to(to_items)

    with pytest.raises(Unavailable):
        await channel.send(get())

    assert fates(channel) == [Fate.NOT_SENT]


async def test_an_answer_without_end_is_cut_off(to_items: Upstream, upstream: System) -> None:
    upstream.store.plan_fault(Fault.ENDLESS, method="GET")
    channel = channel_to(to_items, bounds=Bounds(answer_bytes=100_000))

    with pytest.raises(Unavailable, match="larger than 100000 bytes"):
        await channel.send(get())


def packed(text: bytes, times: int = 1) -> str:
    """Return what a server sends for `text`, as text in which each character is a byte."""
    for _ in range(times):
        text = gzip.compress(text, mtime=0)
    return text.decode("latin-1")


@pytest.mark.parametrize(("encoding", "body", "kept"), [("gzip", packed(b"plain"), "plain"), ("identity", "a", "a")])
async def test_an_answer_is_unpacked(encoding: str, body: str, kept: str, server: Server, way: Upstream) -> None:
    server.answer = lambda _: Reply(headers={"content-encoding": encoding}, body=body)

    answer = await channel_to(way).send(get())

    assert answer.body == kept
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", packed(bytes(50_000_000))),
        ("gzip, gzip", packed(bytes(1000), times=2)),
        ("br", "x"),
        ("gzip", "this is not packed"),
        ("gzip", packed(b"plain")[:-5]),
        ("gzip", packed(b"plain")[:10]),
        ("gzip", packed(b"plain") + packed(b"more")),
    ],
    ids=["a bomb", "a bomb in a bomb", "another kind", "not packed", "cut", "cut early", "two"],
)
async def test_an_answer_that_cannot_be_unpacked_within_bounds_is_none(
    encoding: str, body: str, server: Server, way: Upstream
) -> None:
    server.answer = lambda _: Reply(headers={"content-encoding": encoding}, body=body)

    with pytest.raises(Unavailable):
        await channel_to(way).send(get())
    with pytest.raises(Unknown):
        await channel_to(way, WRITE).send(post())


@pytest.mark.parametrize(
    ("spec", "body", "says_no"),
    [
        (RPC, {"id": 1, "result": 3}, False),
        (RPC, {"id": 1, "error": ["UserError", ["no"]]}, True),
        (RPC, {"id": 1, "error": None, "result": 3}, False),
        (MCP, {"id": 1, "result": {"content": [], "isError": True}}, True),
        (MCP, {"id": 1, "result": {"content": [], "isError": False}}, False),
        (PLAIN, {"error": "no"}, False),
    ],
)
async def test_a_refusal_by_rpc_is_told_from_an_acceptance(
    spec: ConnectorSpec, body: object, server: Server, way: Upstream, *, says_no: bool
) -> None:
    server.answer = lambda _: Reply(body=body)
    channel = channel_to(way, WRITE, spec)

    await channel.send(rpc(call("model.party.write")))

    (entry,) = channel.transcript.left
    assert entry.answer is not None
    assert entry.answer.says_no is says_no


async def test_a_refusal_in_a_stream_of_events_is_read(server: Server, way: Upstream) -> None:
    events = 'event: message\ndata: {"id": 1, "result": {"content": [], "isError": true}}\n\n'
    server.answer = lambda _: Reply(headers={"content-type": "text/event-stream"}, body=events)
    channel = channel_to(way, WRITE, MCP)

    await channel.send(rpc(call("tools/call", {"name": "delete_it"}), path=""))

    assert [entry.answer.says_no for entry in channel.transcript.left if entry.answer] == [True]


async def test_a_process_that_wakes_up_too_late_sends_nothing(way: Upstream, server: Server) -> None:
    """Others have taken over by then, and may already have found that the request did not arrive."""
    channel = channel_to(way, WRITE, permit=granted, bounds=Bounds(unsafe_requests=1, until=time.monotonic()))

    with pytest.raises(Unavailable, match=r"kept waiting.* Nothing was sent"):
        await channel.send(post())

    assert fates(channel) == [Fate.NOT_SENT]
    assert server.asked == []
    await way.close()
