"""Calls by GraphQL, XML-RPC and JSON-RPC: what the fence holds back, beside systems that would carry it out."""

import json
from collections.abc import AsyncGenerator, Generator
from urllib.parse import quote

import httpx2
import pytest
from sandbox_broker import channel_to, fates, granted, upstream_at
from sandbox_calls import ATTACKS, DELETE, GRAPHQL, READS, XML_RPC, Attack, asking, calling, xml
from upstream.dealing import KEPT_DELETION, Dealing, by_graphql, by_xml_rpc

from connectors.sdk.errors import ConnectorError, Fenced
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.wire import WireRequest
from sandbox.broker import ChannelKind, Stopped
from sandbox.requests import problem_with
from sandbox.transcript import Fate
from sandbox.upstream import Upstream

pytestmark = pytest.mark.anyio

READ, PREVIEW, WRITE = ChannelKind.READ, ChannelKind.PREVIEW, ChannelKind.WRITE


@pytest.fixture
def graphql() -> Generator[Dealing]:
    with by_graphql() as dealing:
        yield dealing


@pytest.fixture
def xml_rpc() -> Generator[Dealing]:
    with by_xml_rpc() as dealing:
        yield dealing


@pytest.fixture
async def to_graphql(graphql: Dealing) -> AsyncGenerator[Upstream]:
    way = upstream_at(graphql.base_url)
    yield way
    await way.close()


@pytest.fixture
async def to_xml_rpc(xml_rpc: Dealing) -> AsyncGenerator[Upstream]:
    way = upstream_at(xml_rpc.base_url)
    yield way
    await way.close()


async def straight(dealing: Dealing, request: WireRequest) -> None:
    """Send `request` as it stands, with nothing in between."""
    url = f"{dealing.base_url}{request.path}" + (f"?{request.query_string}" if request.query_string else "")
    async with httpx2.AsyncClient(trust_env=False) as client:
        await client.request(request.method, url, headers=dict(request.headers), content=request.content)


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_a_write_in_disguise_does_not_leave(attack: Attack) -> None:
    with attack.served() as dealing:
        await straight(dealing, attack.request)
        assert dealing.deals.effects == 1, "the system would do it"

        way = upstream_at(dealing.base_url)
        for kind in (READ, PREVIEW):
            channel = channel_to(way, kind, attack.spec)
            with pytest.raises(Stopped, match="may change something"):
                await channel.send(attack.request)
            assert len(channel.transcript.violations) == 1
        await way.close()

    assert (dealing.deals.effects, dealing.deals.asked) == (1, 1)


@pytest.mark.parametrize(
    "request_of",
    [
        asking({"query": "subscription { deal }"}),
        asking({"query": READS + "type Query { a: Int }"}),
        asking({"query": READS, "documentId": KEPT_DELETION}),
        asking({"query": READS, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": KEPT_DELETION}}}),
        asking({"query": READS, "variables": "{}"}),
        asking({"query": READS, "operationName": "B"}),
        asking({"query": "query A { deal(id: 1) { id } }", "operationName": "a"}),
        asking({"query": "{ ...a }"}),
        asking({"query": "{ deal(id: 1) { id } ...a } fragment a on Query { b } fragment a on Query { deal }"}),
        asking({"query": "{ deal(id: 1) { id } # \u2028 touch(id: 1)\n}"}),
        asking({"query": "{ deal(id: 1) { id } \u00a0 touch }"}),
        asking({"query": "{ deal(id: 1] { id } }"}),
        asking({"query": "{" * 50_000}),
        asking({"query": "{ ... " * 3_000}),
        asking({"query": READS + " " * 20_000}),
        asking({"query": [READS]}),
        asking(json.dumps({"query": READS}) * 2),
        asking(None),
        asking("[" * 100_000),
        asking({"query": READS}, method="PUT"),
        asking(None, query=f"query={quote(READS)};query={quote(DELETE)}", method="GET"),
        asking(None, query=f"query={quote(READS)}&variables=%7B%22a%22:%22;query={quote(DELETE)}%22%7D", method="GET"),
        asking(f'{{"query": {json.dumps(DELETE)}, "query": {json.dumps(READS)}}}'),
        asking(None, query=f"QUERY={quote(DELETE)}", method="GET"),
        asking(None, query="", method="GET"),
        asking(None, query=f"query={quote(READS)}", method="HEAD"),
    ],
    ids=lambda request: (request.body or request.query_string)[:40],
)
def test_what_two_readers_could_read_differently_is_neither_safe_nor_sent(request_of: WireRequest) -> None:
    assert not GRAPHQL.is_safe(request_of, previewing=True)
    assert problem_with(request_of, "graphql") is not None


@pytest.mark.parametrize(
    "body",
    [
        xml("<methodName> deal.read </methodName>"),
        xml("<methodName></methodName>"),
        xml("<MethodName>deal.read</MethodName>"),
        xml("<methodName>deal.read</methodName>") * 2,
        xml("<methodName>deal.read</methodName>").replace("methodCall", "methodResponse"),
        xml("<methodName>deal.read</methodName>").replace("<int>1", "<exec>1").replace("</int>", "</exec>"),
        xml("<methodName>deal.read</methodName>") + "<?php deal.delete ?>",
        xml("<methodName>deal.read</methodName><params/>"),
        xml("<methodName>System.multiCall</methodName>"),
        "\ufeff" + xml("<methodName>deal.read</methodName>"),
        xml("<methodName>deal.read</methodName>", "<params>" * 200 + "</params>" * 200),
        xml("<methodName>deal.read</methodName>", "<params>" + "<param/>" * 20_001 + "</params>"),
        xml("<methodName>deal.read</methodName>", "<params>x<param/></params>"),
        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + xml("<methodName>deal.read</methodName>").partition("?>")[2],
        "not XML",
        "",
    ],
    ids=lambda body: body[:60],
)
def test_xml_that_is_not_one_plain_call_is_neither_safe_nor_sent(body: str) -> None:
    anything: ConnectorSpec = XML_RPC.model_copy(
        update={"safe": (XML_RPC.safe[0].model_copy(update={"operation": "*"}),)}
    )

    assert not anything.is_safe(calling(body))
    assert problem_with(calling(body), "xml_rpc") is not None


@pytest.mark.parametrize("content_type", ["", "application/json", "text/html", "text/xml; charset=utf-16"])
def test_xml_says_that_it_is_xml_in_utf8(content_type: str) -> None:
    body = xml("<methodName>deal.read</methodName>")

    assert problem_with(calling(body), "xml_rpc") is None
    assert problem_with(calling(body, **{"content-type": content_type}), "xml_rpc") is not None


@pytest.mark.parametrize(
    "request_of",
    [
        asking({"query": READS}),
        asking({"query": READS, "operationName": None, "variables": None}),
        asking({"query": 'query A { deal(id: 1, note: "} mutation") { id } }', "operationName": "A"}),
        asking({"query": "{ a: deal(id: 1) { id } b: deal(id: 2) { ...c } } fragment c on Deal { id touch: title }"}),
        asking(None, query=f"query={quote(READS)}", method="GET"),
    ],
    ids=["plain", "nulls", "a string", "aliases", "GET"],
)
async def test_a_declared_query_passes_on_every_channel(request_of: WireRequest, to_graphql: Upstream) -> None:
    for kind in ChannelKind:
        channel = channel_to(to_graphql, kind, GRAPHQL)

        assert (await channel.send(request_of)).status == 200

        assert [entry.operation for entry in channel.transcript.entries] == ["query/deal"]


async def test_a_mutation_meant_for_previews_passes_there_alone(graphql: Dealing, to_graphql: Upstream) -> None:
    request = asking({"query": 'mutation { dealTry(id: 1, title: "Pens") { title } }'})

    assert "Pens" in (await channel_to(to_graphql, PREVIEW, GRAPHQL).send(request)).body
    with pytest.raises(Stopped):
        await channel_to(to_graphql, READ, GRAPHQL).send(request)
    assert graphql.deals.effects == 0


async def test_a_mutation_passes_on_a_write_channel_once_and_after_its_permit(
    graphql: Dealing, to_graphql: Upstream
) -> None:
    permitted: list[int] = []

    async def permit() -> None:
        permitted.append(graphql.deals.effects)

    channel = channel_to(to_graphql, WRITE, GRAPHQL, permit=permit)

    await channel.send(asking({"query": DELETE}))
    with pytest.raises(Stopped, match="at most 1"):
        await channel.send(asking({"query": DELETE}))

    assert permitted == [0]
    assert graphql.deals.effects == 1


@pytest.mark.parametrize(
    "request_of",
    [asking([{"query": DELETE}, {"query": DELETE}]), asking({"query": f"query A {READS[5:]} mutation B {DELETE[8:]}"})],
    ids=["a batch", "two operations"],
)
async def test_not_even_a_write_channel_carries_what_is_ambiguous(
    request_of: WireRequest, graphql: Dealing, to_graphql: Upstream
) -> None:
    channel = channel_to(to_graphql, WRITE, GRAPHQL, permit=granted)

    with pytest.raises(Fenced, match="not exactly one call by GraphQL"):
        await channel.send(request_of)

    assert graphql.deals.asked == 0


@pytest.mark.parametrize("name", [name for name in ATTACKS if "many calls" in name])
async def test_many_calls_in_one_do_not_even_leave_on_a_write_channel(name: str) -> None:
    attack = ATTACKS[name]
    with attack.served() as dealing:
        way = upstream_at(dealing.base_url)
        with pytest.raises(Fenced, match="not exactly one call"):
            await channel_to(way, WRITE, attack.spec, permit=granted).send(attack.request)
        await way.close()

    assert dealing.deals.asked == 0


async def test_a_false_claim_about_a_safe_call_is_refused(to_graphql: Upstream, to_xml_rpc: Upstream) -> None:
    for way, spec, request in (
        (to_graphql, GRAPHQL, asking({"query": READS})),
        (to_xml_rpc, XML_RPC, calling(xml("<methodName>deal.read</methodName>"))),
    ):
        with pytest.raises(ConnectorError, match="not what it says"):
            await channel_to(way, READ, spec).send(request.model_copy(update={"operation": "query/other"}))


@pytest.mark.parametrize(
    ("query", "says_no"),
    [
        ('mutation { dealUpdate(id: 1, title: "a", ifVersion: 7) { id } }', True),
        ('mutation { dealUpdate(id: 1, title: "a", ifVersion: 1) { id owner } }', False),
        ("mutation { nothing }", True),
        (DELETE, False),
    ],
    ids=["refused", "carried out, then an error below", "never begun", "done"],
)
async def test_errors_in_an_answer_say_no_only_if_nothing_was_carried_out(
    query: str, to_graphql: Upstream, *, says_no: bool
) -> None:
    channel = channel_to(to_graphql, WRITE, GRAPHQL, permit=granted)

    await channel.send(asking({"query": query}))

    (entry,) = channel.transcript.entries
    assert entry.fate is Fate.ANSWERED
    assert entry.answer is not None
    assert entry.answer.says_no is says_no


async def test_a_fault_says_no(to_xml_rpc: Upstream) -> None:
    channel = channel_to(to_xml_rpc, WRITE, XML_RPC, permit=granted)

    await channel.send(calling(xml("<methodName>deal.archive</methodName>")))

    assert fates(channel) == [Fate.ANSWERED]
    assert [entry.answer is not None and entry.answer.says_no for entry in channel.transcript.entries] == [True]
