"""Owners of agents: whoever becomes one decides nothing that the agent asks for nobody, whoever was asked before."""

from dataclasses import replace

import pytest
from world import World

from hub import approvals
from hub.approvals import Choice
from hub.core.errors import Forbidden
from hub.identity.owners import give_client
from hub.identity.principals import Principal
from hub.invocations.queries import current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio


async def asked_for_nobody(world: World) -> Invocation:
    asked = await world.call("item_delete", {"id": 1}, caller=replace(world.caller, on_behalf_of=None))
    assert asked.state is State.AWAITING_APPROVAL, asked.error_message
    return asked


async def give(world: World, owner: Principal) -> None:
    async with world.runtime.database.transaction() as tx:
        await give_client(tx, world.bot.id, owner.id, world.runtime.authority)


async def waiting_for(world: World, person: Principal) -> list[str]:
    async with world.runtime.database.reading() as tx:
        return await approvals.waiting_for(tx, person)


async def test_a_new_owner_is_asked_no_more_and_cannot_vote_on_what_waits(world: World) -> None:
    asked = await asked_for_nobody(world)
    assert await waiting_for(world, world.ann) == [asked.id]

    await give(world, world.ann)

    assert await waiting_for(world, world.ann) == []
    with pytest.raises(Forbidden, match="take part in this call"):
        await world.vote(asked, world.ann)
    question = (await current(world.runtime, asked.id)).question
    assert question is not None
    async with world.runtime.database.reading() as tx:
        assert [one.told for one in await approvals.lacking(tx, question)] == ["Nobody else is in approvers now."]

    await give(world, world.carl)
    assert await waiting_for(world, world.ann) == [asked.id]
    assert (await world.vote(asked, world.ann, Choice.REJECT)).state is State.REJECTED


async def test_what_is_done_for_somebody_is_not_its_owners(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})

    await give(world, world.ann)

    assert await waiting_for(world, world.ann) == [asked.id]
    assert (await world.vote(asked, world.ann)).state is State.APPROVED


async def test_the_vote_of_somebody_who_owns_the_agent_by_now_sends_nothing(world: World) -> None:
    asked = await asked_for_nobody(world)
    assert (await world.vote(asked, world.ann)).state is State.APPROVED

    await give(world, world.ann)
    stale = await resume(asked.id, world.runtime)
    again = await resume(asked.id, world.runtime)

    assert (stale.state, stale.error_message) == (State.STALE, "somebody who approved it may no longer do so")
    assert again.state is State.AWAITING_APPROVAL
    assert again.question is not None
    assert (again.revision, again.question.votes) == (2, ())
    assert await waiting_for(world, world.ann) == []
    assert world.upstream.store.rows("SELECT id FROM item WHERE id = 1") != []
