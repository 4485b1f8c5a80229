"""What a plan has done is taken back when what it was asked by ends midway, and nothing more of it is sent."""

from collections.abc import Awaitable, Callable

import pytest
from upstream.composites import PUT, RENAME
from world import World

from hub.core.ids import new_id
from hub.identity.clients import limit_client
from hub.identity.tables import ConsentRow
from hub.invocations.states import State
from hub.storage import Tx, now
from plans.errand import carried_out, halfway, items, switch

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

Change = Callable[[World, Tx], Awaitable[object]]


async def servers_are_taken_away(world: World, tx: Tx) -> None:
    scopes = world.bot.allowed_scopes
    await limit_client(tx, world.bot.id, scopes=scopes, servers=frozenset(), authority=world.runtime.authority)


async def scope_of_the_plan_is_taken_away(world: World, tx: Tx) -> None:
    scopes, servers = world.bot.allowed_scopes - {"composite_dev:write"}, world.bot.allowed_servers
    await limit_client(tx, world.bot.id, scopes=scopes, servers=servers, authority=world.runtime.authority)


async def rita_allows_no_plans_any_more(world: World, tx: Tx) -> None:
    given = ConsentRow(
        id=new_id("cns"),
        user_id=world.rita.id,
        client_id=world.bot.id,
        resource=f"{world.runtime.public_url}/mcp",
        scopes=["upstream:write"],
        given_at=await now(tx),
    )
    tx.add(given)
    await tx.flush()


CHANGES: list[Change] = [servers_are_taken_away, scope_of_the_plan_is_taken_away, rita_allows_no_plans_any_more]


@pytest.mark.parametrize("change", CHANGES)
async def test_a_plan_that_was_begun_goes_no_further_and_is_taken_back(world: World, change: Change) -> None:
    plan = await halfway(world, [PUT, RENAME])
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)
    await switch(world, "item_update", on=False)

    ended = await carried_out(world, plan)

    assert ended.state is State.UNDONE
    assert items(world) == {1: ("pencil", 10)}, "the second step was not sent, and the first one was taken back"
