"""Invocations carry the version of the agent that asked, and are continued with no more than that allowed."""

from dataclasses import replace

import pytest
from world import World

from hub import audit
from hub.identity.clients import limit_client
from hub.identity.declarations import as_of
from hub.identity.directory import get
from hub.invocations.callers import caller_of
from hub.invocations.resume import resume
from hub.invocations.states import State

pytestmark = pytest.mark.anyio


async def declare(world: World, *servers: str) -> None:
    async with world.runtime.database.transaction() as tx:
        scopes, authority = world.bot.allowed_scopes, world.runtime.authority
        await limit_client(tx, world.bot.id, scopes=scopes, servers=frozenset(servers), authority=authority)


async def test_an_invocation_and_all_its_events_carry_the_version(world: World) -> None:
    await declare(world, "everything", "desk")
    async with world.runtime.database.reading() as tx:
        old = await as_of(tx, await get(tx, world.bot.id), 1)
    caller = replace(world.caller, actor=old)

    written = await world.call("item_put", {"id": 7, "name": "ruler", "quantity": 3}, caller=caller)
    read = await world.call("item_get", {"id": 1}, caller=caller)

    assert (written.agent_version, read.agent_version) == (1, 1)
    async with world.runtime.database.reading() as tx:
        events = [*await audit.events_of(tx, written.id), *await audit.events_of(tx, read.id)]
        continued = await caller_of(tx, written)
    assert {event.facts["agent_version"] for event in events} == {1}
    assert continued.actor.allowed_servers == {"everything"}


async def test_an_approved_write_is_not_sent_once_its_agent_may_no_longer_use_the_server(world: World) -> None:
    await world.decide_by()
    approved = await world.vote(await world.call("item_delete", {"id": 1}), world.ann)
    assert approved.state is State.APPROVED
    await declare(world, "desk")

    await resume(approved.id, world.runtime)
    ended = await resume(approved.id, world.runtime)

    assert (ended.state, ended.error_message) == (State.EXPIRED, "Bot may no longer use everything-dev.")
    assert len(world.upstream.store.rows("SELECT * FROM item WHERE id = 1")) == 1


async def test_policy_sees_the_version(world: World) -> None:
    await world.decide_by(
        '@id("tried-alone") @why("Only the version that was tried may propose.")\n'
        'forbid (principal, action == Action::"propose", resource) when { context.agent_version > 1 };'
    )
    tried = await world.call("item_get", {"id": 1})
    await declare(world, "everything", "desk")
    async with world.runtime.database.reading() as tx:
        newest = await get(tx, world.bot.id)

    untried = await world.call("item_get", {"id": 1}, caller=replace(world.caller, actor=newest))

    assert (tried.state, untried.state) == (State.SUCCEEDED, State.DENIED)
