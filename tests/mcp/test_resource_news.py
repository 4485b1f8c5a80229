"""News of resources: told to those who could read them, as things stand when there is news."""

from collections.abc import Awaitable, Callable

import httpx2
import pytest
from doors.agents import BOTH_ENGINES
from doors.libraries import SCOPES, connect_library, library_token
from doors.older_clients import OlderClient
from doors.outside import entered
from doors.working_hub import ALL_SCOPES, WorkingHub
from mcp.client.subscriptions import ResourceUpdated, ToolsListChanged
from mcp.shared.exceptions import MCPError
from questions import rules
from sqlalchemy import update
from starlette.applications import Starlette

from hub import watches
from hub.audit import events_of
from hub.budgets import StopKind, lift_stop, set_stop
from hub.bundles import Publication, publish_bundle
from hub.identity import directory
from hub.identity.clients import limit_client
from hub.identity.resources import EVERYTHING
from hub.identity.tables import GrantRow
from hub.registry import find_connection

pytestmark = pytest.mark.anyio

BOOK = "book://1"
PAGE = "book://emma/pages/7"
TOOLS = ("note_post", "item_put", "item_get")
"""Held back one by one, with news after each: once that is told, no look from before is under way, and had the news
been told, it would stand between two of them."""
FORBID = '@id("no-books") forbid (principal, action == Action::"propose", resource in ToolClass::"library");'


@pytest.fixture
async def token(hub: WorkingHub, library: str) -> str:
    """A token for an agent that may read the library, which is connected."""
    return await library_token(hub, library)


async def tell(hub: WorkingHub, *uris: str) -> None:
    """Note what the process notes that listens to the library."""
    async with hub.database.transaction() as tx:
        found = await find_connection(tx, "library")
        assert found is not None
        await watches.tell_updated(tx, hub.database, found.id, uris)


async def policy(hub: WorkingHub, more: str) -> None:
    async with hub.database.transaction() as tx:
        publication = Publication(environment="dev", text=f"{rules('')}\n{more}", by=None)
        await publish_bundle(tx, hub.database, hub.runtime.keys, publication)


async def scopes(hub: WorkingHub, scopes: frozenset[str]) -> None:
    async with hub.database.transaction() as tx:
        reader = await directory.find(tx, "reader")
        assert reader is not None
        everything = frozenset({EVERYTHING})
        await limit_client(tx, reader.id, scopes=scopes, servers=everything, authority=hub.authority)


async def grants(hub: WorkingHub, scopes: frozenset[str]) -> None:
    async with hub.database.transaction() as tx:
        await tx.execute(update(GrantRow).values(scopes=sorted(scopes)))
        await hub.authority.outdate_callers(tx)


async def switch(hub: WorkingHub, *, is_on: bool) -> None:
    async with hub.database.transaction() as tx:
        if is_on:
            await set_stop(tx, StopKind.HUB, "", "it looked odd", hub.authority)
        else:
            await lift_stop(tx, StopKind.HUB, "", hub.authority)


Change = Callable[[WorkingHub], Awaitable[None]]
TAKEN_AND_GIVEN: dict[str, tuple[Change, Change]] = {
    "policy": (lambda hub: policy(hub, FORBID), lambda hub: policy(hub, "")),
    "scopes": (lambda hub: scopes(hub, ALL_SCOPES), lambda hub: scopes(hub, SCOPES)),
    "grant": (lambda hub: grants(hub, ALL_SCOPES), lambda hub: grants(hub, SCOPES)),
    "kill switch": (lambda hub: switch(hub, is_on=True), lambda hub: switch(hub, is_on=False)),
}


@BOTH_ENGINES
@pytest.mark.parametrize(("take", "give"), TAKEN_AND_GIVEN.values(), ids=TAKEN_AND_GIVEN)
async def test_news_is_told_while_the_resource_could_be_read_and_what_was_missed_is_told_after(
    hub: WorkingHub, address: str, token: str, take: Change, give: Change
) -> None:
    heard = list[object]()
    async with (
        entered(address, token) as client,
        client.listen(resource_subscriptions=[BOOK], tools_list_changed=True) as stream,
    ):
        events = aiter(stream)
        await tell(hub, BOOK)
        heard.append(await anext(events))
        await take(hub)
        for name in TOOLS:
            await hub.hold_back(name)
            heard.append(await anext(events))
            await tell(hub, BOOK)
        await give(hub)
        await tell(hub)
        heard.append(await anext(events))

    assert heard == [ResourceUpdated(uri=BOOK), *[ToolsListChanged()] * len(TOOLS), ResourceUpdated(uri=BOOK)]


@BOTH_ENGINES
@pytest.mark.parametrize(("take", "give"), TAKEN_AND_GIVEN.values(), ids=TAKEN_AND_GIVEN)
async def test_the_stream_of_an_older_session_tells_no_more_than_could_be_read_either(
    hub: WorkingHub, app: Starlette, token: str, take: Change, give: Change
) -> None:
    client, heard = OlderClient(app=app, token=token), list[object]()
    await client.open({})
    await client.send("resources/subscribe", {"uri": BOOK})
    async with client.listening() as news:
        await news.is_begun.wait()
        await tell(hub, BOOK)
        heard.append((await news.told())["method"])
        await take(hub)
        for name in TOOLS:
            await hub.hold_back(name)
            heard.append((await news.told())["method"])
            await tell(hub, BOOK)
        await give(hub)
        await tell(hub)
        heard.append((await news.told())["method"])

    lists, updated = "notifications/tools/list_changed", "notifications/resources/updated"
    assert heard == [updated, *[lists] * len(TOOLS), updated]


@pytest.mark.usefixtures("token")
async def test_listening_needs_every_scope_that_reading_needs_and_is_told_of_all_at_once(
    hub: WorkingHub, http: httpx2.AsyncClient, library: str
) -> None:
    await connect_library(hub, library, "archive")
    agent = await hub.make_agent("stepper", allowed=SCOPES, servers=frozenset({EVERYTHING}))
    narrow = await hub.token(of=agent, granted=frozenset({"upstream:read"}))
    uris = ["library+book://1", "archive+book://2", "library+book://2", "book://nowhere"]
    params = {"notifications": {"resourceSubscriptions": uris, "toolsListChanged": True}}
    message = {"jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen", "params": params}
    headers = {"Authorization": f"Bearer {narrow}", "Accept": "application/json, text/event-stream"}

    refused = await http.post("/mcp", json=message, headers={**headers, "MCP-Protocol-Version": "2026-07-28"})

    assert (refused.status_code, refused.json()["id"]) == (403, 7)
    challenge = refused.headers["www-authenticate"]
    assert 'error="insufficient_scope", scope="library:read archive:read"' in challenge
    async with hub.database.reading() as tx:
        events = [await events_of(tx, f"tool:{name}") for name in ("library_resources", "a_archive_resources")]
    assert [[one.facts["code"] for one in each] for each in events] == [["insufficient_scope"]] * 2


async def test_what_policy_lets_nobody_read_is_not_agreed_to(hub: WorkingHub, address: str, token: str) -> None:
    await policy(hub, FORBID)

    async with entered(address, token) as client, client.listen(resource_subscriptions=[BOOK, PAGE]) as stream:
        honored = stream.honored.resource_subscriptions

    assert not honored
    async with hub.database.reading() as tx:
        assert await watches.wanted(tx) == {}


async def test_who_listens_to_as_much_as_one_agent_may_is_refused_more_and_others_are_not(
    hub: WorkingHub, address: str, app: Starlette, token: str
) -> None:
    async with hub.database.transaction() as tx:
        reader, found = await directory.find(tx, "reader"), await find_connection(tx, "library")
        assert reader is not None
        assert found is not None
        many = [watches.Watch(found.id, f"book://{number}/pages/1") for number in range(watches.MOST_OF_ONE)]
        await watches.want(tx, hub.database, reader.id, many)
    older = OlderClient(app=app, token=token)
    await older.open({})
    other = await hub.make_agent("other", allowed=SCOPES, servers=frozenset({EVERYTHING}))

    refused = await (await older.send("resources/subscribe", {"uri": BOOK})).told()
    async with entered(address, token) as client:
        with pytest.raises(MCPError, match="one agent listens to 200 at most"):
            async with client.listen(resource_subscriptions=[BOOK]):
                pass
        async with client.listen(resource_subscriptions=[many[0].uri]) as stream:
            kept = stream.honored.resource_subscriptions
    async with (
        entered(address, await hub.token(of=other, granted=SCOPES)) as client,
        client.listen(resource_subscriptions=[BOOK]) as stream,
    ):
        honored = stream.honored.resource_subscriptions

    assert "one agent listens to 200 at most" in refused["error"]["message"]
    assert (kept, honored) == ([many[0].uri], [BOOK])
