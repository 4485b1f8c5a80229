"""What was asked by leave that was taken back has ended: who is allowed it again asks anew, and waits for that."""

from dataclasses import replace

import pytest
from world import World

from hub.core.ids import new_id
from hub.identity.acting import stop_acting
from hub.identity.tables import ConsentRow
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.undoing import Undo, undo
from hub.storage import Tx, now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def consent(world: World, tx: Tx, *scopes: str, path: str = "/mcp") -> None:
    """Let rita allow the agent these scopes at an address of the hub."""
    tx.add(
        ConsentRow(
            id=new_id("cns"),
            user_id=world.rita.id,
            client_id=world.bot.id,
            resource=f"{world.runtime.public_url}{path}",
            scopes=[*scopes],
            given_at=await now(tx),
        )
    )
    await tx.flush()


async def taken_back_and_given_again(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await consent(world, tx, "upstream:write")
        await stop_acting(tx, world.rita.id, world.bot.id, world.runtime.authority)
        await consent(world, tx, "upstream:write")


async def test_who_is_allowed_it_again_asks_anew(world: World) -> None:
    before = await world.call("item_delete", {"id": 1}, run="one")
    await taken_back_and_given_again(world)

    anew = await world.call("item_delete", {"id": 1}, run="one")
    assert not anew.repeats
    await world.vote(anew, world.ann)

    assert (await resume(anew.id, world.runtime)).state is State.VERIFIED
    assert (await current(world.runtime, before.id)).state is State.EXPIRED
    assert len(world.upstream.store.effects()) == 1


async def test_what_was_approved_before_ends_when_it_is_asked_anew(world: World) -> None:
    before = await world.call("item_delete", {"id": 1}, run="one")
    await world.vote(before, world.ann)
    await taken_back_and_given_again(world)

    anew = await world.call("item_delete", {"id": 1}, run="one")

    assert (anew.repeats, anew.state) == (False, State.AWAITING_APPROVAL)
    assert (await current(world.runtime, before.id)).state is State.EXPIRED


@pytest.mark.parametrize("is_approved", [False, True])
async def test_an_undo_is_asked_anew_too(world: World, *, is_approved: bool) -> None:
    done = await world.call("item_put", {"id": 40, "name": "ruler", "quantity": 3})
    wanted = Undo(caller=world.caller, invocation_id=done.id, reason="a slip", trace_id="trace")
    before = await undo(wanted, world.runtime)
    assert before.state is State.AWAITING_APPROVAL
    if is_approved:
        await world.vote(before, world.ann)
    assert (await undo(wanted, world.runtime)).repeats
    await taken_back_and_given_again(world)

    anew = await undo(wanted, world.runtime)

    assert (anew.repeats, anew.state) == (False, State.AWAITING_APPROVAL)
    assert (await current(world.runtime, before.id)).state is State.EXPIRED


async def test_what_was_sent_before_is_repeated_and_not_sent_twice(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 11}, run="one")
    assert done.state is State.VERIFIED
    await taken_back_and_given_again(world)

    anew = await world.call("item_update", {"id": 1, "quantity": 11}, run="one")

    assert (anew.id, anew.repeats) == (done.id, True)


async def test_what_was_asked_by_the_api_ends_when_less_is_allowed_at_the_api(world: World) -> None:
    by_api = replace(world.caller, resource=f"{world.runtime.public_url}/api/v1")
    async with world.runtime.database.transaction() as tx:
        await consent(world, tx, "upstream:write", path="/api/v1")
    asked = await world.call("item_delete", {"id": 1}, caller=by_api)
    await world.vote(asked, world.ann)
    async with world.runtime.database.transaction() as tx:
        await consent(world, tx, "upstream:read", path="/api/v1")

    assert (await resume(asked.id, world.runtime)).state is State.STALE
    assert world.upstream.store.effects() == []
