"""Leave that is taken back: what an agent had asked for is not sent any more, whoever approves it, and ends."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from plans.errand import carried_out, halfway, switch
from sqlalchemy import update
from upstream.composites import PUT, RENAME, changed
from world import World

from hub.core.errors import Conflict
from hub.core.ids import new_id
from hub.identity.acting import stop_acting
from hub.identity.clients import NewAgent, create_agent, limit_client
from hub.identity.grants import BY_ITS_CLIENT, NARROWED, revoke_grant, revoke_stolen
from hub.identity.tables import ConsentRow, GrantRow
from hub.invocations.commit import claim, send
from hub.invocations.journal import load
from hub.invocations.overtaking import Overtaking
from hub.invocations.queries import cancel, current
from hub.invocations.recheck import Holds, recheck
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.taken_back import taken_back
from hub.invocations.values import Invocation
from hub.storage import Tx, now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

Change = Callable[[World, Tx], Awaitable[object]]
TAKEN_BACK = "That Bot may do this in the name of Rita was taken back since it asked."


async def consent(world: World, tx: Tx, *scopes: str, server: str = "/mcp", later: timedelta = timedelta()) -> None:
    """Let rita say what bot may do in her name."""
    given = ConsentRow(
        id=new_id("cns"),
        user_id=world.rita.id,
        client_id=world.bot.id,
        resource=f"{world.runtime.public_url}{server}",
        scopes=[*scopes],
        given_at=await now(tx) + later,
    )
    tx.add(given)
    await tx.flush()


async def grant(world: World, tx: Tx) -> str:
    """Return a grant on which bot holds tokens for rita."""
    at = await now(tx)
    row = GrantRow(
        id=new_id("grt"),
        kind="authorization_code",
        client_id=world.bot.id,
        user_id=world.rita.id,
        scopes=["upstream:write"],
        resource=f"{world.runtime.public_url}/mcp",
        server="everything",
        created_at=at,
        expires_at=at + timedelta(days=1),
    )
    tx.add(row)
    await tx.flush()
    return row.id


async def scope_is_taken_away(world: World, tx: Tx) -> None:
    servers = world.bot.allowed_servers
    await limit_client(
        tx, world.bot.id, scopes=frozenset({"upstream:read"}), servers=servers, authority=world.runtime.authority
    )


async def servers_are_taken_away(world: World, tx: Tx) -> None:
    scopes = world.bot.allowed_scopes
    await limit_client(tx, world.bot.id, scopes=scopes, servers=frozenset(), authority=world.runtime.authority)


async def leave_is_taken_back(world: World, tx: Tx) -> None:
    await consent(world, tx, "upstream:write", server="/servers/another/mcp")
    await stop_acting(tx, world.rita.id, world.bot.id, world.runtime.authority)


async def leave_is_taken_back_and_given_again(world: World, tx: Tx) -> None:
    await leave_is_taken_back(world, tx)
    await consent(world, tx, "upstream:write")


async def less_is_allowed(world: World, tx: Tx) -> None:
    await consent(world, tx, "upstream:read")


async def tokens_are_found_stolen(world: World, tx: Tx) -> None:
    await revoke_stolen(tx, await grant(world, tx), "refresh token", world.runtime.authority)


REASONS: dict[Change, str] = {
    scope_is_taken_away: "Bot may no longer use item_delete.",
    servers_are_taken_away: "Bot may no longer use everything-dev.",
    leave_is_taken_back: TAKEN_BACK,
    leave_is_taken_back_and_given_again: TAKEN_BACK,
    less_is_allowed: TAKEN_BACK,
    tokens_are_found_stolen: TAKEN_BACK,
}


async def everything_is_allowed_anew(world: World, tx: Tx) -> None:
    await consent(world, tx, "tool:item_delete", "upstream:read")


async def less_is_allowed_elsewhere(world: World, tx: Tx) -> None:
    await consent(world, tx, "upstream:read", server="/servers/another/mcp")


async def the_agent_gives_its_tokens_back(world: World, tx: Tx) -> None:
    for reason in (BY_ITS_CLIENT, NARROWED):
        await revoke_grant(tx, await grant(world, tx), reason, world.runtime.authority)


async def others_take_back(world: World, tx: Tx) -> None:
    await leave_is_taken_back(replace(world, rita=world.ann), tx)


async def another_agent_loses_all_of_it(world: World, tx: Tx) -> None:
    scopes = frozenset({"upstream:read"})
    new = NewAgent(name="other", display_name="Other", owner_id=world.rita.id, allowed_scopes=scopes)
    other = replace(world, bot=await create_agent(tx, new, world.runtime.authority))
    await less_is_allowed(other, tx)
    await leave_is_taken_back(other, tx)
    await tokens_are_found_stolen(other, tx)


async def less_and_then_everything_is_allowed(world: World, tx: Tx) -> None:
    await less_is_allowed(world, tx)
    await consent(world, tx, "tool:item_delete", "upstream:read", later=timedelta(milliseconds=1))  # SQLite's precision


async def it_was_taken_back_before(world: World, tx: Tx) -> None:
    await leave_is_taken_back(world, tx)
    await tokens_are_found_stolen(world, tx)
    await tx.execute(update(InvocationRow).values(created_at=await now(tx)))


async def less_was_allowed_before(world: World, tx: Tx) -> None:
    await less_is_allowed(world, tx)
    await tx.execute(update(InvocationRow).values(created_at=await now(tx)))


NO_MATTER = [
    everything_is_allowed_anew,
    less_is_allowed_elsewhere,
    the_agent_gives_its_tokens_back,
    others_take_back,
    another_agent_loses_all_of_it,
    less_and_then_everything_is_allowed,
    it_was_taken_back_before,
    less_was_allowed_before,
]


async def approved_before(world: World, change: Change) -> Invocation:
    """Return a write that ann has approved, and then something changed."""
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)
    return asked


@pytest.mark.parametrize("change", REASONS)
async def test_what_was_approved_is_not_sent_and_ends(world: World, change: Change) -> None:
    asked = await approved_before(world, change)

    after = await resume(asked.id, world.runtime)
    ended = await resume(asked.id, world.runtime)

    assert (after.state, after.error_message) == (State.STALE, REASONS[change])
    assert (ended.state, ended.error_message) == (State.EXPIRED, REASONS[change])
    assert world.upstream.store.effects() == []


@pytest.mark.parametrize("change", REASONS)
async def test_what_others_are_asked_about_is_closed_and_nobody_agrees_to_it(world: World, change: Change) -> None:
    asked = await world.call("item_delete", {"id": 1})
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)

    with pytest.raises(Conflict, match=r"ended before you decided: .*\. Nothing was decided\."):
        await world.vote(asked, world.ann)
    read = await current(world.runtime, asked.id)

    assert (read.state, read.error_message) == (State.EXPIRED, REASONS[change])
    assert world.upstream.store.effects() == []


async def test_what_nobody_reads_is_closed_by_a_worker(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    async with world.runtime.database.transaction() as tx:
        await leave_is_taken_back(world, tx)

    assert await Overtaking(world.runtime).turn() == 1
    async with world.runtime.database.reading() as tx:
        assert (await load(tx, asked.id)).state is State.EXPIRED


@pytest.mark.parametrize("change", REASONS)
async def test_what_is_taken_back_after_the_re_check_comes_before_the_first_byte(world: World, change: Change) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    claimed = await claim(asked.id, world.runtime)
    assert claimed is not None
    held = await recheck(claimed, world.runtime)
    assert isinstance(held, Holds)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)
        assert await taken_back(tx, claimed, public_url=world.runtime.public_url) == REASONS[change]

    after = await send(claimed, held.tool, world.runtime)

    assert after.state is State.APPROVED
    assert world.upstream.store.effects() == []


@pytest.mark.parametrize("change", NO_MATTER)
async def test_what_takes_back_nothing_of_it_changes_nothing(world: World, change: Change) -> None:
    asked = await approved_before(world, change)

    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED


async def test_what_an_agent_asks_in_its_own_name_needs_its_own_leave_alone(world: World) -> None:
    alone = world.caller.__class__(actor=world.bot, scopes=world.caller.scopes)
    asked = await world.call("item_delete", {"id": 1}, caller=alone)
    await world.vote(asked, world.ann)
    async with world.runtime.database.transaction() as tx:
        await leave_is_taken_back(world, tx)

    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED


@pytest.mark.parametrize("change", [scope_is_taken_away, leave_is_taken_back])
async def test_a_plan_that_was_begun_goes_no_further(world: World, change: Change) -> None:
    plan = await halfway(world, [PUT, RENAME])
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)
    await switch(world, "item_update", on=False)

    ended = await carried_out(world, plan)

    assert ended.state is State.UNDONE
    assert "was not done" in (ended.error_message or "")
    assert TAKEN_BACK in (ended.error_message or "") or "Bot may no longer use" in (ended.error_message or "")


async def test_a_plan_that_was_begun_is_still_taken_back(world: World) -> None:
    again = {**changed(PUT, id={"$from": "/input/old"}), "name": "again"}
    plan = await halfway(world, [PUT, RENAME, again])
    async with world.runtime.database.transaction() as tx:
        await leave_is_taken_back(world, tx)
    await cancel(world.runtime, world.caller, plan.id, reason="")

    assert (await carried_out(world, plan)).state is State.UNDONE


async def test_what_is_taken_back_while_a_call_comes_in_is_taken_back_from_it(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await consent(world, tx, "upstream:write")
        let_in = replace(world.caller, verified_at=await now(tx))
    async with world.runtime.database.transaction() as tx:
        await leave_is_taken_back(world, tx)

    asked = await world.call("item_delete", {"id": 1}, caller=let_in)
    with pytest.raises(Conflict):
        await world.vote(asked, world.ann)

    assert await Overtaking(world.runtime).turn() == 1
    assert world.upstream.store.effects() == []


async def test_who_is_let_in_by_leave_that_was_just_given_again_is_served(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await leave_is_taken_back_and_given_again(world, tx)
    async with world.runtime.database.transaction() as tx:
        let_in = replace(world.caller, verified_at=await now(tx))

    asked = await world.call("item_delete", {"id": 1}, caller=let_in)
    await world.vote(asked, world.ann)

    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED
