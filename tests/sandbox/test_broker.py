"""The fence: what each kind of channel lets pass."""

import asyncio

import pytest
from sandbox_broker import (
    BEARER,
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
from sandbox_server import Asked, Reply, Server
from upstream.faults import Fault
from upstream.fixtures import Upstream as System

from connectors.sdk.errors import Fenced, Unavailable
from connectors.sdk.spec import ConnectorSpec, SafeRule
from connectors.sdk.wire import LARGEST_READ, WireRequest
from sandbox.broker import Bounds, ChannelKind, Stopped
from sandbox.sign_in import Proof
from sandbox.transcript import Fate
from sandbox.upstream import Exchange, Upstream
from sandbox.weight import MOST_VALUES

pytestmark = pytest.mark.anyio

READ, PREVIEW, WRITE = ChannelKind.READ, ChannelKind.PREVIEW, ChannelKind.WRITE
LOST = [
    *(Fault.DROP_BEFORE, Fault.ERROR_BEFORE, Fault.UNAVAILABLE, Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.HTML),
    *(Fault.REDIRECT, Fault.CUT, Fault.HUGE, Fault.ENDLESS, Fault.GARBAGE),
]


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


async def test_a_preview_touches_no_drafts_but_its_own(way: Upstream, server: Server) -> None:
    server.answer = lambda _: Reply(status=201, body={"id": 7})
    preview = channel_to(way, PREVIEW, DRAFTS)
    remove = WireRequest(method="DELETE", path="/drafts/7")

    with pytest.raises(Stopped, match="may change something"):
        await preview.send(remove)
    await preview.send(post("/drafts"))
    assert (await preview.send(remove)).status == 201
    for other in (
        preview.send(WireRequest(method="DELETE", path="/drafts/8")),
        channel_to(way, PREVIEW, DRAFTS).send(remove),
    ):
        with pytest.raises(Stopped, match="may change something"):
            await other

    assert [(asked.method, asked.target) for asked in server.asked] == [("POST", "/drafts"), ("DELETE", "/drafts/7")]


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


@pytest.mark.parametrize(
    "path",
    ["@elsewhere.example/", ".elsewhere.example/", ":1@elsewhere.example/", "/../admin", "-admin", "\\..\\admin"],
)
async def test_a_path_that_leads_elsewhere_is_seen_by_the_second_reader_too(path: str, server: Server) -> None:
    way = upstream_at(f"{server.base_url}/erp")
    request = get().model_copy(update={"path": path})  # as if neither the type nor `problem_with` had refused it

    with pytest.raises(Unavailable, match="leads away"):
        await way.exchange(Exchange(request, Proof(headers={})))

    assert server.asked == []
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


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (WireRequest(method="GET", path="/items", encoded_query="a=&" * 6_000), "are longer than"),
        (WireRequest(method="GET", path="/items", query=(("a", "b" * 17_000),)), "are longer than"),
        (WireRequest(method="POST", path="/rpc/", body="a=&" * 4_000_000), "is larger than"),
        (WireRequest(method="POST", path="/rpc/", body_base64="YT0m" * 4_000_000), "is larger than"),
        (WireRequest(method="POST", path="/rpc/", body="[" + "{}," * MOST_VALUES + "{}]"), "more than 200000 values"),
    ],
    ids=["encoded query", "query", "body", "bytes", "values"],
)
async def test_what_is_too_large_is_refused_before_anybody_reads_what_it_asks_for(
    way: Upstream, asked: WireRequest, says: str
) -> None:
    channel = channel_to(way, PREVIEW, spec=RPC)

    with pytest.raises(Fenced, match=says):
        await channel.send(asked)

    (entry,) = channel.transcript.entries
    assert (entry.fate, entry.operation, entry.is_safe) == (Fate.FENCED, None, False)


@pytest.mark.parametrize(("padding", "is_safe"), [("a", True), ("%", False), ("method", False)])
async def test_a_large_body_that_may_name_a_method_is_not_read_and_not_safe(
    way: Upstream, padding: str, *, is_safe: bool
) -> None:
    spec = PLAIN.model_copy(update={"safe": (SafeRule(method="POST", path="/trials"),)})
    body = f"text={padding * LARGEST_READ}"
    channel = channel_to(way, READ, spec=spec)

    if is_safe:
        await channel.send(WireRequest(method="POST", path="/trials", body=body))
    else:
        with pytest.raises(Stopped, match="may change something"):
            await channel.send(WireRequest(method="POST", path="/trials", body=body))


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
