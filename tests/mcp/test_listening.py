"""Streams on which clients hear of changes: of what they themselves see, for as long as their token is good."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from doors.agents import BOTH_ENGINES, Connect, open_door
from doors.outside import entered, served
from doors.working_hub import PUBLIC_URL, WorkingHub
from mcp import Client
from mcp.client.subscriptions import Subscription, SubscriptionLost, ToolsListChanged
from questions import rules
from upstream.connector import connector

from hub.bundles import Publication, publish_bundle
from hub.identity.access_tokens import refused
from hub.identity.accounts import suspend
from hub.identity.clients import limit_client
from hub.identity.grants import revoke_grants_of
from hub.identity.principals import Caller
from hub.identity.resources import EVERYTHING
from hub.identity.tokens import TokenVerifier
from hub.mcp.listening import LOOK_AGAIN_SECONDS
from hub.registry import (
    Environment,
    NewServer,
    Offer,
    create_server,
    disable_connection,
    find_tool,
    publish,
    quarantine,
    register_connector,
)
from hub.storage import Database

pytestmark = pytest.mark.anyio


async def hears(stream: Subscription) -> None:
    """Wait until the stream says that the list has changed."""
    assert isinstance(await anext(aiter(stream)), ToolsListChanged)


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


@asynccontextmanager
async def another_process(hub: WorkingHub) -> AsyncGenerator[Database]:
    """Yield an engine of its own, as another process has one, whose signals reach the hub."""
    relay = asyncio.create_task(hub.database.relay_signals())
    there = Database(hub.database.url.render_as_string(hide_password=False))
    try:
        yield there
    finally:
        await there.close()
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)


@BOTH_ENGINES
async def test_a_change_of_the_list_is_told_and_the_list_is_the_new_one(hub: WorkingHub, address: str) -> None:
    async with entered(address, await hub.token()) as client, client.listen(tools_list_changed=True) as stream:
        assert stream.honored.tools_list_changed is True
        await hub.hold_back("note_post")
        await hears(stream)
        after = await names(client)
        async with hub.database.transaction() as tx:
            await disable_connection(tx, hub.connection.id, hub.authority, reason="maintenance")
        await hears(stream)

    assert "note_post" not in after
    assert "item_put" in after


async def test_clients_of_both_protocols_are_told_that_changes_are_told(
    hub: WorkingHub, address: str, connect: Connect
) -> None:
    async with entered(address, await hub.token()) as client:
        modern = client.server_capabilities
    async with connect(mode="legacy") as client:
        legacy = client.server_capabilities

    for told in (modern, legacy):
        assert told.tools is not None
        assert told.prompts is not None
        assert told.resources is not None
        assert (told.tools.list_changed, told.prompts.list_changed) == (True, True)
        assert (told.resources.list_changed, told.resources.subscribe) == (True, True)
    assert legacy.extensions is None


async def test_only_what_this_caller_sees_is_told(hub: WorkingHub, address: str) -> None:
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await publish(tx, Offer(server="sales", tool_id=tool.id, connection_id=hub.connection.id), hub.authority)
    narrow = await hub.make_agent("narrow", servers=frozenset({"sales"}))
    lists = list[list[str]]()
    async with (
        entered(address, await hub.token(of=narrow)) as client,
        entered(address, await hub.token()) as other,
        client.listen(tools_list_changed=True) as stream,
        other.listen(tools_list_changed=True) as wide,
    ):
        await hub.hold_back("note_post")  # on no server of the narrow agent
        await hears(wide)
        await hub.hold_back("item_get")
        await hears(stream)
        lists.append(await names(client))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hears(stream), 0.3)  # one change was its own, and one was told

    assert "item_get" not in lists[0]


async def test_a_policy_that_hides_values_changes_the_list_of_whom_it_hides_them_from(
    hub: WorkingHub, address: str
) -> None:
    spec = connector.spec.model_copy(deep=True)
    spec.operation("item_get").output_schema["properties"]["name"]["x-data-class"] = "personal"
    async with hub.database.transaction() as tx:
        await register_connector(tx, spec, hub.authority)
    hide = (
        '@id("hide") forbid (principal, action == Action::"see", resource) when { context.data_class == "personal" };'
    )
    async with entered(address, await hub.token()) as client, client.listen(tools_list_changed=True) as stream:
        publication = Publication(environment="dev", text=f"{rules('')}\n{hide}", by=None)
        async with hub.database.transaction() as tx:
            await publish_bundle(tx, hub.database, hub.runtime.keys, publication)

        await hears(stream)


async def test_an_agent_that_lost_a_server_is_told_that_its_list_has_changed(hub: WorkingHub, address: str) -> None:
    async with hub.database.transaction() as tx:
        await create_server(tx, NewServer(name="sales", environment=Environment.DEV, title="Sales"), hub.authority)
        tool = await find_tool(tx, "upstream", "item_get")
        assert tool is not None
        await publish(tx, Offer(server="sales", tool_id=tool.id, connection_id=hub.connection.id), hub.authority)
    grown = await hub.make_agent("grown", servers=frozenset({"sales", EVERYTHING}))
    async with entered(address, await hub.token(of=grown)) as client, client.listen(tools_list_changed=True) as stream:
        async with hub.database.transaction() as tx:
            await limit_client(
                tx, grown.id, scopes=grown.allowed_scopes, servers=frozenset({"sales"}), authority=hub.authority
            )
        await hears(stream)
        left = await names(client)

    assert [one for one in left if not one.startswith("hub_")] == ["item_get"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_change_made_in_another_process_is_told_by_its_signal(hub: WorkingHub, address: str) -> None:
    async with (
        another_process(hub) as there,
        entered(address, await hub.token()) as client,
        client.listen(tools_list_changed=True) as stream,
    ):
        async with there.transaction() as tx:
            tool = await find_tool(tx, "upstream", "note_post")
            assert tool is not None
            await quarantine(tx, tool.id, "it looked odd", replace(hub.authority, database=there))
        await hears(stream)


@pytest.mark.parametrize("how", ["suspended", "revoked", "its person suspended"])
async def test_a_stream_ends_with_the_right_to_it(hub: WorkingHub, address: str, how: str) -> None:
    async with entered(address, await hub.token()) as client, client.listen(tools_list_changed=True) as stream:
        async with hub.database.transaction() as tx:
            if how != "revoked":
                whose = hub.agent if how == "suspended" else hub.people["requester"]
                await suspend(tx, whose.id, "it looked odd", hub.authority)
            else:
                await revoke_grants_of(tx, hub.agent.id, "not needed", hub.authority)

        with pytest.raises(SubscriptionLost):
            await hears(stream)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_stream_ends_when_its_agent_is_suspended_in_another_process(hub: WorkingHub, address: str) -> None:
    async with (
        another_process(hub) as there,
        entered(address, await hub.token()) as client,
        client.listen(tools_list_changed=True) as stream,
    ):
        async with there.transaction() as tx:
            await suspend(tx, hub.agent.id, "it looked odd", replace(hub.authority, database=there))

        with pytest.raises(SubscriptionLost):
            await hears(stream)


class Expiring(TokenVerifier):
    """Finds every token good for a moment more, until its time is over."""

    is_over = False

    async def standing(self, token: str, *, resource: str) -> tuple[Caller, timedelta]:
        if self.is_over:
            raise refused()
        caller, left = await super().standing(token, resource=resource)
        return caller, min(left, timedelta(milliseconds=100))


async def test_a_stream_ends_when_the_time_of_its_token_is_over_though_nothing_was_signalled(hub: WorkingHub) -> None:
    verifier = Expiring(hub.database, hub.runtime.keys, PUBLIC_URL)
    async with (
        open_door(replace(hub.runtime, verifier=verifier)) as door,
        served(door) as there,
        entered(there, await hub.token()) as client,
        client.listen(tools_list_changed=True) as stream,
    ):
        verifier.is_over = True
        with pytest.raises(SubscriptionLost):
            await asyncio.wait_for(hears(stream), LOOK_AGAIN_SECONDS - 5)
