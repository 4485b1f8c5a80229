"""The stream of a session of the older protocol: what its client is told on it, at which process, for how long."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from doors.agents import BOTH_ENGINES
from doors.askers import SCOPES, token_for
from doors.older_clients import Answer, OlderClient
from doors.replicas import another_door
from doors.working_hub import WorkingHub
from sqlalchemy import func, select, update
from starlette.applications import Starlette
from starlette.types import Message

from hub import watches
from hub.core.errors import Unavailable
from hub.identity.accounts import suspend
from hub.identity.grants import revoke_grants_of
from hub.identity.resources import EVERYTHING
from hub.mcp import mcp_door, subscribing
from hub.mcp.event_streams import EventStream
from hub.mcp.servers import MOST_BY_GET
from hub.mcp.sessions import forget_sessions
from hub.mcp.subscribing import MOST_OF_A_SESSION
from hub.mcp.tables import McpSubscriptionRow
from hub.registry import Environment, NewServer, Offer, create_server, find_connection, find_tool, publish
from hub.storage import now

Json = Any

pytestmark = pytest.mark.anyio

WATCHED = "test://watched-resource"
STATIC = "test://static-text"
TOOLS = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


def updated(uri: str) -> Json:
    return {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}


@pytest.fixture
async def client(hub: WorkingHub, app: Starlette) -> OlderClient:
    client = OlderClient(app=app, token=await hub.token())
    await client.open({})
    return client


@pytest.fixture
async def reader(hub: WorkingHub, app: Starlette, asker: str) -> OlderClient:
    """A client that sees the resources of a federated server."""
    client = OlderClient(app=app, token=await token_for(hub, asker, "reader", connect=True))
    await client.open({})
    return client


@asynccontextmanager
async def elsewhere(hub: WorkingHub, client: OlderClient) -> AsyncGenerator[OlderClient]:
    """The same client in the same session, at another process of the hub."""
    async with another_door(hub) as door:
        yield OlderClient(app=door, token=client.token, session=client.session)


async def subscribe(client: OlderClient, uri: str, how: str = "subscribe") -> Json:
    return await (await client.send(f"resources/{how}", {"uri": uri})).told()


async def change(hub: WorkingHub, *uris: str) -> None:
    """Note what the process notes that listens to the federated server."""
    async with hub.database.transaction() as tx:
        connection = await find_connection(tx, "asker")
        assert connection is not None
        await watches.tell_updated(tx, hub.database, connection.id, uris)


async def say_of_lists(hub: WorkingHub, *kinds: str) -> None:
    """Note what the process notes that hears the federated server say so."""
    async with hub.database.transaction() as tx:
        connection = await find_connection(tx, "asker")
        assert connection is not None
        await watches.tell_lists(tx, hub.database, connection.id, kinds)


async def token_on_another_server(hub: WorkingHub) -> str:
    """Return a token of an agent that is shown nothing of the federated server."""
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await publish(tx, Offer(server="sales", tool_id=tool.id, connection_id=hub.connection.id), hub.authority)
    agent = await hub.make_agent("stranger", servers=frozenset({"sales"}))
    return await hub.token(of=agent)


async def subscriptions(hub: WorkingHub) -> int:
    async with hub.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(McpSubscriptionRow)) or 0


async def begun(news: Answer) -> Answer:
    """Return a stream once it has looked: what changes from then on is told on it."""
    await news.is_begun.wait()
    return news


async def ended(news: Answer) -> None:
    await news.has_ended.wait()


@BOTH_ENGINES
async def test_a_changed_list_is_told_on_the_stream_of_a_session_at_whichever_process_it_is(
    hub: WorkingHub, client: OlderClient
) -> None:
    async with elsewhere(hub, client) as there, there.listening() as news:
        await begun(news)
        await hub.hold_back("note_post")

        assert (news.status, news.is_stream) == (200, True)
        assert await news.told() == TOOLS


@BOTH_ENGINES
async def test_a_servers_word_on_a_list_is_told_to_who_is_shown_some_of_it_and_of_that_list_alone(
    hub: WorkingHub, app: Starlette, reader: OlderClient
) -> None:
    stranger = OlderClient(app=app, token=await token_on_another_server(hub))
    await stranger.open({})
    async with elsewhere(hub, reader) as there, there.listening() as news, stranger.listening() as others:
        await begun(news)
        await begun(others)
        await say_of_lists(hub, "prompts")
        first = await news.told()
        await hub.hold_back("item_get")
        second = [await news.told(), await others.told()]

    assert first == {**TOOLS, "method": "notifications/prompts/list_changed"}
    assert second == [TOOLS, TOOLS]
    assert news.messages.empty()
    assert others.messages.empty()


@BOTH_ENGINES
async def test_a_resource_that_is_subscribed_to_at_one_process_is_told_of_at_another(
    hub: WorkingHub, reader: OlderClient
) -> None:
    async with elsewhere(hub, reader) as there, there.listening() as news:
        await begun(news)
        said = await subscribe(reader, WATCHED)
        await change(hub, WATCHED, STATIC)
        first = await news.told()
        await subscribe(reader, WATCHED, "unsubscribe")
        await subscribe(reader, STATIC)
        await change(hub, WATCHED, STATIC)
        second = await news.told()

    assert said["result"] == {}
    assert (first, second) == (updated(WATCHED), updated(STATIC))
    assert news.messages.empty()


async def test_what_changes_before_the_stream_is_open_is_told_on_it(hub: WorkingHub, reader: OlderClient) -> None:
    await subscribe(reader, WATCHED)
    await change(hub, WATCHED)

    async with reader.listening() as news:
        assert await news.told() == updated(WATCHED)


async def test_subscribing_twice_is_subscribing_once_and_unsubscribing_from_nothing_is_no_error(
    hub: WorkingHub, reader: OlderClient
) -> None:
    twice = [await subscribe(reader, WATCHED) for _ in range(2)]
    kept = await subscriptions(hub)
    twice += [await subscribe(reader, WATCHED, "unsubscribe") for _ in range(2)]

    assert [one["result"] for one in twice] == [{}, {}, {}, {}]
    assert (kept, await subscriptions(hub)) == (1, 0)


@pytest.mark.parametrize(
    "uri", [pytest.param("test://nowhere", id="nowhere"), pytest.param("x" * 3000, id="longer than any")]
)
async def test_what_the_caller_does_not_see_cannot_be_subscribed_to(
    hub: WorkingHub, reader: OlderClient, uri: str
) -> None:
    error = (await subscribe(reader, uri))["error"]

    assert (error["code"], error["data"]) == (-32002, {"uri": uri})
    assert await subscriptions(hub) == 0


async def test_who_may_not_read_from_a_server_subscribes_to_nothing_of_it(
    hub: WorkingHub, app: Starlette, reader: OlderClient
) -> None:
    narrow = await hub.make_agent("narrow", servers=frozenset({"sales"}))
    other = OlderClient(app=app, token=await hub.token(of=narrow), session=reader.session)

    assert (await other.send("resources/subscribe", {"uri": WATCHED})).status in {401, 404}
    assert await subscriptions(hub) == 0


@pytest.mark.usefixtures("reader")
async def test_a_subscription_needs_the_scope_that_reading_needs(hub: WorkingHub, app: Starlette) -> None:
    narrow = await hub.make_agent("narrow", allowed=SCOPES, servers=frozenset({EVERYTHING}))
    other = OlderClient(app=app, token=await hub.token(of=narrow, granted=frozenset({"upstream:read"})))
    await other.open({})

    refused = await other.send("resources/subscribe", {"uri": WATCHED})

    assert refused.status == 403
    assert 'scope="asker:read"' in refused.headers["www-authenticate"]
    assert await subscriptions(hub) == 0


async def test_a_subscription_needs_a_session(reader: OlderClient) -> None:
    reader.session = None

    assert "session" in (await subscribe(reader, WATCHED))["error"]["message"]
    assert "session" in (await subscribe(reader, WATCHED, "unsubscribe"))["error"]["message"]


async def test_a_session_subscribes_to_so_many_resources_and_no_more(hub: WorkingHub, reader: OlderClient) -> None:
    for number in range(MOST_OF_A_SESSION):
        await subscribe(reader, f"test://template/{number}/data")

    refused = (await subscribe(reader, WATCHED))["error"]["message"]

    assert "unsubscribe from others first" in refused
    assert await subscriptions(hub) == MOST_OF_A_SESSION


async def test_all_sessions_of_one_caller_together_are_bounded_too(
    hub: WorkingHub, app: Starlette, asker: str, reader: OlderClient
) -> None:
    await subscribe(reader, WATCHED)
    async with hub.database.transaction() as tx:
        mine = (await tx.scalars(select(McpSubscriptionRow))).one()
        others = {"session_id": "ses_other", "uri": "test://x", "changed": 0, "whose": mine.whose, "until": mine.until}
        tx.add_all(McpSubscriptionRow(uri_digest=str(number), **others) for number in range(1, subscribing.MOST_OF_ONE))

    refused = await subscribe(reader, STATIC)
    somebody_else = OlderClient(app=app, token=await token_for(hub, asker, "another"))
    await somebody_else.open({})

    assert "error" in refused
    assert (await subscribe(somebody_else, STATIC))["result"] == {}


@BOTH_ENGINES
async def test_the_newest_stream_of_a_session_is_the_one_and_nothing_is_told_twice(
    hub: WorkingHub, client: OlderClient
) -> None:
    async with client.listening() as first, elsewhere(hub, client) as there:
        await begun(first)
        async with there.listening() as second:
            await begun(second)
            await ended(first)
            await hub.hold_back("note_post")

            assert await second.told() == TOOLS
        assert first.messages.empty()


@BOTH_ENGINES
async def test_the_end_of_a_session_ends_its_stream_and_its_subscriptions(hub: WorkingHub, reader: OlderClient) -> None:
    await subscribe(reader, WATCHED)
    async with elsewhere(hub, reader) as there, there.listening() as news:
        await begun(news)
        status = await reader.delete()
        await ended(news)

    assert (status, await subscriptions(hub)) == (204, 0)
    async with reader.listening() as again:
        await ended(again)
    assert again.status == 404


async def suspended(hub: WorkingHub) -> None:
    async with hub.database.transaction() as tx:
        await suspend(tx, hub.agent.id, "it looked odd", hub.authority)


async def revoked(hub: WorkingHub) -> None:
    async with hub.database.transaction() as tx:
        await revoke_grants_of(tx, hub.agent.id, "not needed", hub.authority)


@BOTH_ENGINES
@pytest.mark.parametrize("end", [pytest.param(suspended, id="suspended"), pytest.param(revoked, id="revoked")])
async def test_a_stream_ends_with_the_right_to_it(
    hub: WorkingHub, client: OlderClient, end: Callable[[WorkingHub], Awaitable[None]]
) -> None:
    async with elsewhere(hub, client) as there, there.listening() as news:
        await begun(news)
        await end(hub)
        await ended(news)

    async with client.listening() as again:
        await ended(again)
    assert again.status == 401


async def test_streams_of_one_caller_are_bounded(hub: WorkingHub) -> None:
    door = mcp_door(hub.runtime)
    token = await hub.token()
    async with door.running(), AsyncExitStack() as stack:
        application = Starlette(routes=[*door.routes])
        for _ in range(MOST_BY_GET):
            one = OlderClient(app=application, token=token)
            await one.open({})
            await begun(await stack.enter_async_context(one.listening()))
        last = OlderClient(app=application, token=token)
        await last.open({})
        async with last.listening() as refused:
            await ended(refused)

        assert refused.status == 503
        assert (await last.send("ping", {})).status == 200


async def test_streams_end_in_good_order_when_the_hub_does(hub: WorkingHub) -> None:
    door = mcp_door(hub.runtime)
    async with door.running():
        client = OlderClient(app=Starlette(routes=[*door.routes]), token=await hub.token())
        await client.open({})
        async with client.listening() as news:
            await begun(news)
            door.end_streams()
            await ended(news)
        with pytest.raises(Unavailable), door.servers.by_get.place("x"):
            pass


async def test_a_client_that_reads_nothing_loses_its_stream() -> None:
    begun = asyncio.Event()

    async def stuck(message: Message) -> None:
        if message["type"] == "http.response.body":
            begun.set()
            await asyncio.Event().wait()

    async def silent() -> Message:
        await asyncio.Event().wait()
        return {}

    stream = EventStream(silent, stuck, send_seconds=0.01)
    async with stream.opened():
        await stream.say(TOOLS)

    assert begun.is_set()
    assert stream.has_gone.is_set()


async def test_what_goes_wrong_in_a_stream_ends_it_in_good_order() -> None:
    sent = list[Message]()

    async def keep(message: Message) -> None:
        sent.append(message)

    async def silent() -> Message:
        await asyncio.Event().wait()
        return {}

    for wrong in (Unavailable("The database is gone."), ValueError("a bug")):
        sent.clear()
        async with EventStream(silent, keep, send_seconds=5).opened():
            raise wrong

        assert [one["type"] for one in sent].count("http.response.start") == 1
        assert (sent[-1]["body"], sent[-1]["more_body"]) == (b"", False)


async def test_a_stream_is_for_who_reads_streams(client: OlderClient) -> None:
    async with client.listening(accept="application/json") as news:
        await ended(news)

    assert news.status == 406


@BOTH_ENGINES
async def test_subscriptions_are_forgotten_with_sessions_that_are_too_old(hub: WorkingHub, reader: OlderClient) -> None:
    await subscribe(reader, WATCHED)
    async with hub.database.transaction() as tx:
        await forget_sessions(tx)
    kept = await subscriptions(hub)
    async with hub.database.transaction() as tx:
        await tx.execute(update(McpSubscriptionRow).values(until=await now(tx) - timedelta(seconds=1)))
        await forget_sessions(tx)

    assert (kept, await subscriptions(hub)) == (1, 0)
