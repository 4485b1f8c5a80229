"""The fence: what each kind of channel lets pass, and what may be said of a request afterwards."""

import asyncio
import gzip
import socket
from collections.abc import AsyncGenerator, Callable

import pytest
from sandbox_broker import MCP, PLAIN, RPC, call, channel_to, get, granted, post, rpc, upstream_at
from sandbox_server import Asked, Reply, Server, serving
from upstream.faults import Fault
from upstream.fixtures import Upstream as System

from connectors.sdk.errors import Fenced, Unavailable, Unknown
from connectors.sdk.spec import AuthSpec, ConnectorSpec
from connectors.sdk.wire import WireRequest
from sandbox.broker import Bounds, Channel, ChannelKind, Stopped
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

READ, PREVIEW, WRITE = ChannelKind.READ, ChannelKind.PREVIEW, ChannelKind.WRITE
BEARER = AuthSpec(kind="bearer", secret_fields=("token",))
LOST = [
    *(Fault.DROP_BEFORE, Fault.ERROR_BEFORE, Fault.UNAVAILABLE, Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.HTML),
    *(Fault.REDIRECT, Fault.CUT, Fault.HUGE, Fault.ENDLESS, Fault.GARBAGE),
]


@pytest.fixture
async def server(anyio_backend: str) -> AsyncGenerator[Server]:
    del anyio_backend
    async with serving(lambda asked: Reply(body={"method": asked.method})) as running:
        yield running


@pytest.fixture
async def way(server: Server) -> AsyncGenerator[Upstream]:
    opened = upstream_at(server.base_url)
    yield opened
    await opened.close()


@pytest.fixture
async def to_items(upstream: System, anyio_backend: str) -> AsyncGenerator[Upstream]:
    del anyio_backend
    opened = upstream_at(upstream.base_url, BEARER, token=upstream.token)
    yield opened
    await opened.close()


def fates(channel: Channel) -> list[Fate]:
    return [entry.fate for entry in channel.transcript.entries]


# -- what passes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ChannelKind)
async def test_every_channel_carries_what_is_safe(kind: ChannelKind, way: Upstream) -> None:
    channel = channel_to(way, kind)

    answer = await channel.send(get())

    assert answer.status == 200
    assert fates(channel) == [Fate.ANSWERED]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", [READ, PREVIEW])
async def test_no_other_channel_than_write_carries_a_write(
    kind: ChannelKind, method: str, way: Upstream, server: Server
) -> None:
    channel = channel_to(way, kind)

    with pytest.raises(Stopped, match="may change something"):
        await channel.send(WireRequest.model_validate({"method": method, "path": "/items/1"}))

    assert server.asked == []
    assert [entry.name for entry in channel.transcript.violations] == [f"{method} /items/1"]


@pytest.mark.parametrize(("kind", "passes"), [(READ, False), (PREVIEW, True)])
async def test_what_is_meant_for_previews_passes_there_alone(kind: ChannelKind, way: Upstream, *, passes: bool) -> None:
    channel = channel_to(way, kind)

    if passes:
        assert (await channel.send(post("/trials"))).status == 200
    else:
        with pytest.raises(Stopped):
            await channel.send(post("/trials"))


@pytest.mark.parametrize(
    ("request_of", "spec"),
    [
        (rpc(call("model.party.delete"), operation="model.party.read"), RPC),
        (rpc(call("model.party.try_out")), RPC),
        (rpc(f"[{call('model.party.read')}]"), RPC),
        (rpc('{"method": "model.party.read", "method": "model.party.delete"}'), RPC),
        (rpc(call("model.party.read"), path="/other/"), RPC),
        (rpc(call("tools/call", {"name": "delete_it"}), operation="tools/call/read_it", path=""), MCP),
        (rpc(call("tools/call", {"name": "delete_it"}), path="", **{"mcp-name": "read_it"}), MCP),
        (get("/items", **{"x-http-method-override": "DELETE"}), PLAIN),
    ],
    ids=["a lie", "for previews", "a batch", "twice", "elsewhere", "a tool", "a header", "a disguise"],
)
async def test_what_the_body_says_counts_and_nothing_else(
    request_of: WireRequest, spec: ConnectorSpec, way: Upstream, server: Server
) -> None:
    channel = channel_to(way, READ, spec)

    with pytest.raises(Stopped):
        await channel.send(request_of)

    assert server.asked == []
    assert len(channel.transcript.violations) == 1


async def test_a_safe_call_with_a_false_claim_is_refused_and_its_transcript_tells_the_truth(
    way: Upstream, server: Server
) -> None:
    channel = channel_to(way, READ, RPC)

    with pytest.raises(Fenced, match="not what it says"):
        await channel.send(rpc(call("model.party.read"), operation="model.sale.read"))

    assert server.asked == []
    assert [entry.operation for entry in channel.transcript.entries] == ["model.party.read"]
    assert channel.transcript.violations == []


async def test_a_write_passes_on_a_write_channel_after_its_permit(to_items: Upstream, upstream: System) -> None:
    seen: list[int] = []

    async def permit() -> None:
        seen.append(len(upstream.store.requests()))

    answer = await channel_to(to_items, WRITE, permit=permit).send(post())

    assert answer.status == 201
    assert seen == [0]
    assert len(upstream.store.effects()) == 1


async def test_a_refused_permit_lets_nothing_leave(to_items: Upstream, upstream: System) -> None:
    async def permit() -> None:
        raise RuntimeError("the lease is lost")

    channel = channel_to(to_items, WRITE, permit=permit)

    with pytest.raises(Stopped):
        await channel.send(post())

    assert str(channel.refusal) == "the lease is lost"
    assert channel.transcript.left == []
    assert upstream.store.requests() == []


async def test_a_write_channel_without_a_permit_carries_no_write(way: Upstream, server: Server) -> None:
    with pytest.raises(Stopped):
        await channel_to(way, WRITE, permit=None).send(post())

    assert server.asked == []


async def test_no_more_writes_leave_than_declared_even_at_once(way: Upstream, server: Server) -> None:
    channel = channel_to(way, WRITE, bounds=Bounds(unsafe_requests=2))

    ends = await asyncio.gather(*(channel.send(post()) for _ in range(5)), return_exceptions=True)

    assert [type(end).__name__ for end in ends] == ["WireResponse", "WireResponse", *["Stopped"] * 3]
    assert len(server.asked) == 2


async def test_requests_are_counted(way: Upstream, server: Server) -> None:
    channel = channel_to(way, bounds=Bounds(requests=3))
    for _ in range(3):
        await channel.send(get())

    with pytest.raises(Stopped, match="more than 3 requests"):
        await channel.send(get())

    assert len(server.asked) == 3
    assert len(channel.transcript.entries) == 3


# -- what an answer is worth ------------------------------------------------------------------------------------


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


def refusing_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


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

    answer = await channel_to(to_items).send(get())

    assert answer.status == 200


async def test_a_read_without_an_answer_is_unavailable(to_items: Upstream, upstream: System) -> None:
    upstream.kill()
    channel = channel_to(to_items)

    with pytest.raises(Unavailable):
        await channel.send(get())

    assert fates(channel) == [Fate.NO_ANSWER]


async def test_an_answer_without_end_is_cut_off(to_items: Upstream, upstream: System) -> None:
    upstream.store.plan_fault(Fault.ENDLESS, method="GET")
    channel = channel_to(to_items, bounds=Bounds(answer_bytes=100_000))

    with pytest.raises(Unavailable, match="larger than 100000 bytes"):
        await channel.send(get())


def packed(text: bytes, times: int = 1) -> str:
    """Return what a server sends for `text`, as text in which each character is a byte."""
    for _ in range(times):
        text = gzip.compress(text)
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


# -- the way itself ---------------------------------------------------------------------------------------------


async def test_no_redirect_is_followed(server: Server, way: Upstream) -> None:
    server.answer = lambda _: Reply(status=302, headers={"location": f"{server.base_url}/elsewhere"})

    answer = await channel_to(way).send(get())

    assert answer.status == 302
    assert "location" not in answer.headers
    assert [asked.target for asked in server.asked] == ["/items"]


async def test_no_cookie_goes_from_one_call_to_the_next(server: Server, way: Upstream) -> None:
    server.answer = lambda _: Reply(headers={"set-cookie": "session=1; Path=/"})

    answers = [await channel_to(way).send(get()) for _ in range(2)]

    assert [asked.header("cookie") for asked in server.asked] == [None, None]
    assert all("set-cookie" not in answer.headers for answer in answers)


async def test_no_proxy_of_the_environment_is_used(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{refusing_port()}")
    monkeypatch.setenv("all_proxy", f"http://127.0.0.1:{refusing_port()}")
    way = upstream_at(server.base_url)

    answer = await channel_to(way).send(get())

    assert answer.status == 200
    await way.close()


async def test_a_request_stays_below_the_base_url(server: Server) -> None:
    way = upstream_at(f"{server.base_url}/erp/")

    for path in ("/rpc/", "", "/a%20b"):
        await channel_to(way).send(get(path))

    assert [asked.target for asked in server.asked] == ["/erp/rpc/", "/erp", "/erp/a%20b"]
    await way.close()


async def test_the_host_is_the_base_urls(server: Server, way: Upstream) -> None:
    await channel_to(way).send(get("/items", accept="application/json"))

    assert server.asked[0].header("host") == server.base_url.removeprefix("http://")


async def test_reads_keep_their_connection_and_every_write_has_its_own(server: Server, way: Upstream) -> None:
    for _ in range(3):
        await channel_to(way).send(get())
    assert server.connections == 1

    for _ in range(2):
        await channel_to(way, WRITE, permit=granted).send(post())

    assert server.connections == 3


async def test_a_transcript_holds_no_body_query_or_header(server: Server, way: Upstream) -> None:
    server.answer = lambda _: Reply(body={"secret": "answer-secret"}, headers={"x-secret": "header-secret"})
    channel = channel_to(way, WRITE)

    await channel.send(
        WireRequest(
            method="POST",
            path="/notes",
            query=(("q", "query-secret"),),
            headers={"idempotency-key": "key-secret"},
            body='{"a": "body-secret"}',
        )
    )

    (entry,) = channel.transcript.entries
    assert "-secret" not in repr(entry)
    assert (entry.method, entry.path, entry.is_safe, entry.fate) == ("POST", "/notes", False, Fate.ANSWERED)
    assert entry.answer is not None
    assert (entry.answer.status, entry.answer.size) == (200, len('{"secret": "answer-secret"}'))


async def test_a_long_path_is_cut_in_the_transcript(way: Upstream) -> None:
    channel = channel_to(way)

    await channel.send(get("/" + "a" * 10_000))

    assert len(channel.transcript.entries[0].path) <= 300


async def test_what_the_system_echoes_of_the_proof_does_not_reach_the_connector(server: Server) -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(body=dict(asked.headers), headers={"x-echo": asked.header("authorization") or ""})

    server.answer = echo
    way = upstream_at(server.base_url, BEARER, token="a-very-secret-token")

    answer = await channel_to(way).send(get())

    assert server.asked[0].header("authorization") == "Bearer a-very-secret-token"
    assert "a-very-secret-token" not in answer.model_dump_json()
    await way.close()
