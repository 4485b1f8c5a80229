"""What a connection declares as its limits holds for its own calls, in number, size and time, and for no others."""

import asyncio
import json
from contextlib import ExitStack
from dataclasses import replace

import pytest
from execution_house import House, order
from federation_servers import OWNER, Federated, text_of, unruly_over_http
from scripted_servers import OWNER as SCRIPTED
from scripted_servers import USUAL, Asked, Scripted, events, result, usual

from connectors.sdk.auth import AuthSpec
from connectors.sdk.wire import WireRequest
from hub.execution import Failed, Succeeded
from hub.registry import ConnectionChange, change_connection
from sandbox.reach import PRIVATE, Reach
from sandbox.sign_in import Proof
from sandbox.upstream import Exchange, Upstream

pytestmark = pytest.mark.anyio

WAYS = ("http", "stdio")


async def limited(federated: Federated, stack: ExitStack, way: str, manner: str, **limits: int) -> House:
    """Return a house with a connection to an unruly server that declares `limits`."""
    url = stack.enter_context(unruly_over_http(manner)) if way == "http" else federated.over_stdio(manner)
    return await _limited_at(federated, url, **limits)


async def _limited_at(federated: Federated, url: str, **limits: int) -> House:
    house = await federated.connect(url)
    async with house.database.transaction() as tx:
        change = ConnectionChange(settings={"limits": limits})
        house.connection = await change_connection(tx, house.connection.id, change, house.authority)
    return house


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_beyond_the_declared_size_is_refused_and_a_smaller_one_is_not(
    federated: Federated, way: str
) -> None:
    with ExitStack() as stack:
        house = await limited(federated, stack, way, "honest", answer_bytes=20_000)
        spec = await federated.discovered(house)

        large = await house.read(spec, "echo", text="x" * 30_000)
        small = await house.read(spec, "echo", text="x" * 10_000)

    assert isinstance(large.outcome, Failed), large
    assert "larger than 20000 bytes" in large.outcome.message
    assert isinstance(small.outcome, Succeeded), small


async def test_a_call_ends_after_the_declared_time(federated: Federated) -> None:
    with ExitStack() as stack:
        honest = await federated.connect(federated.over_stdio("honest"))
        spec = await federated.discovered(honest)
        house = await limited(federated, stack, "http", "mute", call_seconds=1)

        ran = await house.read(spec, "echo", 600.0, text="hello")

    assert isinstance(ran.outcome, Failed), ran
    assert "longer than 1 seconds" in ran.outcome.message


async def test_no_more_calls_are_under_way_than_declared_and_the_others_wait(federated: Federated) -> None:
    with ExitStack() as stack:
        house = await limited(federated, stack, "http", "honest", calls_at_once=1)
        other = await limited(federated, stack, "http", "honest", calls_at_once=1)
        spec = await federated.discovered(house)
        place = house.executor._places.of(house.connection)

        async with place:
            waited = await house.read(spec, "echo", 0.5, text="waits")
            beside = await other.read(spec, "echo", text="beside")
        after = await house.read(spec, "echo", text="after")

    assert isinstance(waited.outcome, Failed), waited
    assert [text_of(beside.outcome), text_of(after.outcome)] == ["beside", "after"]


async def test_another_number_of_calls_holds_from_then_on(federated: Federated) -> None:
    house = await federated.connect(federated.over_stdio("honest"))
    places = house.executor._places
    usual = places.of(house.connection)

    narrowed = places.of(replace(house.connection, settings={"limits": {"calls_at_once": 2}}))

    assert usual is not narrowed
    assert [usual._value, narrowed._value] == [16, 2]


async def test_no_more_connections_are_open_than_declared() -> None:
    now_open, most, two = 0, 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now_open, most
        now_open += 1
        most = max(most, now_open)
        if now_open == 2:
            two.set()
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await two.wait()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        now_open -= 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    upstream = Upstream(f"http://127.0.0.1:{port}", AuthSpec(), _no_secrets, Reach(private_networks=PRIVATE))
    upstream.bound(2)

    asked = WireRequest(method="GET", path="")
    answers = await asyncio.gather(*(upstream.exchange(Exchange(asked, Proof(headers={}))) for _ in range(12)))

    await upstream.close()
    server.close()
    await server.wait_closed()
    assert [one.response.status for one in answers] == [200] * 12
    assert most == 2


async def test_a_way_has_as_many_connections_as_its_connection_declares(federated: Federated) -> None:
    with ExitStack() as stack:
        house = await limited(federated, stack, "http", "honest", connections=3)
        spec = await federated.discovered(house)

        async with federated.house.executor._upstreams.to(spec, house.connection) as way:
            line = way._http._line  # type: ignore[attr-defined]  # looked inside

    assert line._kept._places._value == 3
    assert OWNER.name == spec.name


@pytest.mark.parametrize("session", ["", "s1"])
async def test_a_server_that_asks_is_answered_though_calls_hold_all_connections(
    federated: Federated, session: str
) -> None:
    asks = json.dumps({"jsonrpc": "2.0", "id": 77, "method": "ping"}).encode()
    calls, both, replied = 0, asyncio.Event(), list[Asked]()

    async def answer(asked: Asked) -> bytes:
        nonlocal calls
        if asked.message.get("id") == 77:
            replied.append(asked)
        if asked.method != "tools/call":
            return usual(asked, session=session)
        calls += 1
        if calls == 2:
            both.set()
        await both.wait()
        return events(asks, result(asked, USUAL["tools/call"]))

    async with Scripted(answer).running() as url:
        house = await _limited_at(federated, url, connections=1)
        spec = await federated.discovered(house, SCRIPTED)
        read, written = await asyncio.gather(
            house.read(spec, "find", text="x"), house.commit(spec, "post", order(), text="x")
        )

    assert isinstance(read.outcome, Succeeded), read
    assert isinstance(written.outcome, Succeeded), written
    assert [one.message["result"] for one in replied] == [{}, {}]


async def test_a_call_is_taken_back_though_another_holds_the_only_connection(federated: Federated) -> None:
    begun, taken_back = asyncio.Event(), asyncio.Event()

    async def answer(asked: Asked) -> bytes:
        if asked.method == "notifications/cancelled":
            taken_back.set()
        if asked.method == "tools/call":
            begun.set()
            await taken_back.wait()
        return usual(asked, session="s1")

    async with Scripted(answer).running() as url:
        house = await _limited_at(federated, url, connections=1)
        spec = await federated.discovered(house, SCRIPTED)
        first = asyncio.create_task(house.read(spec, "find", text="first"))
        await begun.wait()
        second = asyncio.create_task(house.read(spec, "find", text="second"))
        async with federated.house.executor._upstreams.to(spec, house.connection) as way:
            for _ in range(100):
                await asyncio.sleep(0)
            assert way._http._line._kept._places._waiters  # type: ignore[attr-defined]  # looked inside
        first.cancel()
        ran = await second

    assert isinstance(ran.outcome, Succeeded), ran


async def _no_secrets() -> dict[str, str]:
    return {}
