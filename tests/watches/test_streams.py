"""One process listens to each federated server for all: what is told there reaches clients, and leads to a new look."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest
from doors.agents import BOTH_ENGINES
from doors.federated import connect_federated
from doors.outside import entered
from doors.working_hub import ALL_SCOPES, WorkingHub
from mcp import Client
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged
from scripted_servers import OWNER as SCRIPTED
from scripted_servers import Asked, Scripted, usual
from scripted_servers import said as answered
from sqlalchemy import func, select, update

from connectors.mcp_upstream import Owner
from hub import watches
from hub.identity.resources import EVERYTHING
from hub.invocations.listening_upstream import StandingStreams
from hub.invocations.resource_news import news_of
from hub.pins.tables import PinLookRow
from hub.registry import (
    disable_connection,
)
from hub.storage import now
from hub.watches import Repeats, Watch
from hub.watches.tables import ResourceWatchRow, UpstreamStreamRow

pytestmark = pytest.mark.anyio

SCOPES: Final = ALL_SCOPES | {"newsy:read"}
OWNER: Final = Owner(name="newsy", reads=frozenset({"publish"}))
SPORTS: Final = "news://sports"
TRIES: Final = 240


async def reader(hub: WorkingHub) -> str:
    """Return a token of an agent that may read the news."""
    agent = await hub.make_agent("reader", allowed=SCOPES, servers=frozenset({EVERYTHING}))
    return await hub.token(of=agent, granted=SCOPES)


async def times(hub: WorkingHub, connection_id: str) -> int:
    async with hub.database.reading() as tx:
        row = select(ResourceWatchRow.changed).where(ResourceWatchRow.connection_id == connection_id)
        return await tx.scalar(row) or 0


async def words(hub: WorkingHub, connection_id: str) -> int:
    async with hub.database.reading() as tx:
        return (await watches.list_words(tx)).get((connection_id, "tools"), 0)


async def said(client: Client, hub: WorkingHub, connection_id: str) -> int:
    """Have the server say that its tools have changed, until the hub has heard it; return how often it did."""
    for _ in range(TRIES):
        await client.call_tool("publish", {"uri": "tools"})
        await asyncio.sleep(0.3)
        if heard := await words(hub, connection_id):
            return heard
    raise AssertionError("the hub hears nothing")


async def told(client: Client, hub: WorkingHub, connection_id: str, uri: str) -> None:
    """Have the server tell of a change, again until the hub has heard it: a stream opens in its own time."""
    for _ in range(TRIES):
        await client.call_tool("publish", {"uri": uri})
        await asyncio.sleep(0.3)
        if await times(hub, connection_id):
            return
    raise AssertionError("the hub hears nothing")


@BOTH_ENGINES
async def test_what_a_server_tells_of_a_resource_reaches_a_client_through_whoever_listens(
    hub: WorkingHub, address: str, newsy: str
) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    token = await reader(hub)
    elsewhere, here = StandingStreams(hub.runtime), StandingStreams(hub.runtime)
    try:
        async with entered(address, token) as client, client.listen(resource_subscriptions=[SPORTS, "news://x"]) as on:
            honored = on.honored.resource_subscriptions
            opened = [await elsewhere.turn(), await here.turn()]
            await told(client, hub, connection_id, SPORTS)
            event = await asyncio.wait_for(anext(aiter(on)), 60)
    finally:
        await elsewhere.close()
        await here.close()

    assert honored == [SPORTS]
    assert opened == [1, 0]
    assert event == ResourceUpdated(uri=SPORTS)


@BOTH_ENGINES
async def test_what_a_server_says_of_its_lists_reaches_clients_though_nothing_is_new_and_what_is_too_often_later_once(
    hub: WorkingHub, address: str, newsy: str
) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    token = await reader(hub)
    streams = StandingStreams(hub.runtime, repeats=lambda: Repeats(at_once=1, every_seconds=1.0))
    try:
        await streams.turn()
        async with entered(address, token) as client, client.listen(tools_list_changed=True) as on:
            before = await client.list_tools()
            first = await said(client, hub, connection_id)
            event = await anext(aiter(on))
            for _ in range(3):  # within the second there is nothing left to say them with
                await client.call_tool("publish", {"uri": "tools"})
            again = await anext(aiter(on))
            last = await words(hub, connection_id)
            after = await client.list_tools()
    finally:
        await streams.close()

    assert [event, again] == [ToolsListChanged(), ToolsListChanged()]
    assert last == first + 1
    assert [one.name for one in before.tools] == [one.name for one in after.tools]


def test_a_servers_words_are_repeated_ten_times_at_once_and_then_every_ten_seconds() -> None:
    repeats, pauses = Repeats(), list[float]()
    for at in [*[100.0] * 12, 104.0, 110.0, 110.0, 300.0]:
        pauses.append(repeats.pause(at))
        if not pauses[-1]:
            repeats.count(at)

    assert pauses == [*[0.0] * 10, 10.0, 10.0, 6.0, 0.0, 10.0, 0.0]


async def test_a_changed_list_is_looked_at_without_waiting_for_the_timer(
    hub: WorkingHub, address: str, newsy: str
) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    token = await reader(hub)
    async with hub.database.transaction() as tx:
        later = await now(tx) + timedelta(hours=5)
        tx.add(PinLookRow(connection_id=connection_id, look_at=later))
    streams = StandingStreams(hub.runtime)
    soon = False
    try:
        await streams.turn()
        async with entered(address, token) as client:
            for _ in range(TRIES):
                await client.call_tool("publish", {"uri": "tools"})
                await asyncio.sleep(0.3)
                async with hub.database.reading() as tx:
                    row = await tx.get(PinLookRow, connection_id)
                    assert row is not None
                    soon = row.look_at < later - timedelta(hours=1)
                if soon:
                    break
    finally:
        await streams.close()

    assert soon


@BOTH_ENGINES
async def test_the_stream_of_a_process_that_was_killed_is_taken_over_and_only_then(hub: WorkingHub, newsy: str) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    async with hub.database.transaction() as tx:
        killed = await watches.take_streams(tx, "killed")
        renewed = await watches.take_streams(tx, "killed")
        while_held = await watches.take_streams(tx, "other")
        await tx.execute(update(UpstreamStreamRow).values(held_until=await now(tx) - timedelta(seconds=1)))
        after = await watches.take_streams(tx, "other")
        too_late = await watches.take_streams(tx, "killed")

    assert killed == renewed == after == {connection_id}
    assert while_held == too_late == frozenset()


async def test_after_a_loss_the_stream_is_opened_again_and_everything_counts_as_changed(
    hub: WorkingHub, address: str, newsy: str
) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    token = await reader(hub)
    async with hub.database.transaction() as tx:
        await watches.want(tx, hub.database, "agt_one", [Watch(connection_id, SPORTS)])
    streams = StandingStreams(hub.runtime)
    try:
        await streams.turn()
        async with entered(address, token) as client:
            await told(client, hub, connection_id, "hang-up")
    finally:
        await streams.close()

    assert await times(hub, connection_id) >= 1


async def test_who_ends_lets_others_listen_at_once(hub: WorkingHub, newsy: str) -> None:
    await connect_federated(hub.runtime, OWNER, newsy)
    first, second = StandingStreams(hub.runtime), StandingStreams(hub.runtime)

    opened = [await first.turn(), await second.turn()]
    await first.close()
    opened.append(await second.turn())
    await second.close()

    assert opened == [1, 0, 1]


async def test_a_disabled_connection_is_listened_to_no_more(hub: WorkingHub, newsy: str) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    streams = StandingStreams(hub.runtime)

    before = await streams.turn()
    async with hub.database.transaction() as tx:
        await disable_connection(tx, connection_id, hub.authority, reason="maintenance")
    after = await streams.turn()
    await streams.close()

    assert [before, after] == [1, 0]


async def test_only_what_the_caller_sees_is_watched(hub: WorkingHub, newsy: str) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)

    asked, caller = [SPORTS, "file:///etc/passwd"], replace(hub.caller, scopes=SCOPES)

    without_scope = await news_of(asked, server=EVERYTHING, caller=hub.caller, runtime=hub.runtime)
    seen = await news_of(asked, server=EVERYTHING, caller=caller, runtime=hub.runtime)
    async with hub.database.transaction() as tx:
        wanted = await watches.wanted(tx)
        await disable_connection(tx, connection_id, hub.authority, reason="maintenance")
    unseen = await news_of(asked, server=EVERYTHING, caller=caller, runtime=hub.runtime)

    assert seen.times == {SPORTS: 0}
    assert wanted == {connection_id: frozenset({SPORTS})}
    assert without_scope.times == unseen.times == {}


@BOTH_ENGINES
async def test_a_watch_that_nobody_renews_ends_and_news_is_counted(hub: WorkingHub, newsy: str) -> None:
    watch = Watch(await connect_federated(hub.runtime, OWNER, newsy), SPORTS)
    async with hub.database.transaction() as tx:
        first = await watches.want(tx, hub.database, "agt_one", [watch])
        await watches.tell_updated(tx, hub.database, watch.connection_id, [SPORTS, "news://weather"])
        second = await watches.want(tx, hub.database, "agt_one", [watch])
        wanted = await watches.wanted(tx)
        await tx.execute(update(ResourceWatchRow).values(wanted_until=await now(tx) - timedelta(hours=2)))
        unwanted = await watches.wanted(tx)
        await watches.forget_watches(tx)
        left = (await tx.scalars(select(ResourceWatchRow.uri))).all()

    assert [first[watch], second[watch]] == [0, 1]
    assert wanted == {watch.connection_id: frozenset({SPORTS})}
    assert unwanted == {}
    assert left == []


@BOTH_ENGINES
async def test_one_principal_fills_its_own_watches_of_a_connection_and_nobody_elses(
    hub: WorkingHub, newsy: str
) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    many = [Watch(connection_id, f"news://{number}") for number in range(watches.MOST_OF_ONE + 1)]
    async with hub.database.transaction() as tx:
        kept = await watches.want(tx, hub.database, "agt_greedy", many)
        again = await watches.want(tx, hub.database, "agt_greedy", list(kept))
        another = await watches.want(tx, hub.database, "agt_other", [Watch(connection_id, SPORTS), many[0]])

    assert len(kept) == len(again) == watches.MOST_OF_ONE
    assert len(another) == 2


async def test_a_server_is_left_alone_as_long_as_it_says_before_it_is_asked_for_a_stream_again(hub: WorkingHub) -> None:
    asked, again = list[float](), asyncio.Event()

    async def answer(one: Asked) -> bytes:
        if one.method != "subscriptions/listen":
            return usual(one)
        asked.append(time.monotonic())
        if len(asked) > 1:
            again.set()
        return answered(b"", status="503 Service Unavailable", headers="retry-after: 3\r\n")

    async with Scripted(answer).running() as url:
        await connect_federated(hub.runtime, SCRIPTED, url)
        streams = StandingStreams(hub.runtime)
        try:
            await streams.turn()
            await asyncio.wait_for(again.wait(), 60)
        finally:
            await streams.close()

    assert asked[1] - asked[0] >= 3.0  # and not after the second that is usual


@BOTH_ENGINES
async def test_calls_at_the_same_moment_get_no_more_than_one_principal_may_have(hub: WorkingHub, newsy: str) -> None:
    connection_id = await connect_federated(hub.runtime, OWNER, newsy)
    each = watches.MOST_OF_ONE // 2 - 10

    async def wanting(number: int) -> int:
        many = [Watch(connection_id, f"news://{number}/{one}") for one in range(each)]
        async with hub.database.transaction() as tx:
            return len(await watches.want(tx, hub.database, "agt_greedy", many))

    got = await asyncio.gather(*(wanting(number) for number in range(5)))

    async with hub.database.reading() as tx:
        kept = await tx.scalar(select(func.count()).select_from(ResourceWatchRow))
    assert sorted(got) == [0, 0, 20, each, each]
    assert kept == watches.MOST_OF_ONE
