"""Lack of people: what nobody can answer as the groups are says so at once, and no longer once somebody has joined."""

import pytest
from questions import add_groups, add_person, ask_by, wish
from world import World, caller_for

from hub.audit import EventKind, events_of
from hub.identity.accounts import set_groups, suspend
from hub.invocations.envelope import envelope
from hub.invocations.queries import current
from hub.invocations.values import Invocation

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def lacks(world: World, asked: Invocation) -> list[str]:
    return [one.told for one in (await current(world.runtime, asked.id)).lacking]


async def for_ann(world: World) -> Invocation:
    """Ask for something in the name of the only approver."""
    return await world.call("item_delete", {"id": 1}, caller=caller_for(world.bot, world.ann))


async def test_the_requester_is_told_that_nobody_else_may_decide(world: World) -> None:
    asked = await for_ann(world)

    told = envelope(asked, public_url="http://hub").text

    assert "Nobody else is in approvers now. It waits until an administrator adds somebody, or expires." in told
    async with world.runtime.database.reading() as tx:
        (event,) = [one for one in await events_of(tx, asked.id) if one.kind is EventKind.INVOCATION_APPROVAL_REQUESTED]
    assert event.facts["lacking"] == ["Nobody else is in approvers now."]


async def test_it_is_no_longer_said_once_somebody_has_joined(world: World) -> None:
    asked = await for_ann(world)
    amy = await add_person(world, "amy", "approvers")

    assert await lacks(world, asked) == []
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, amy.id, "Left.", world.runtime.authority)
    assert await lacks(world, asked) == ["Nobody else is in approvers now."]


async def test_it_is_said_once_the_last_one_has_left(world: World) -> None:
    asked = await wish(world)
    assert await lacks(world, asked) == []

    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)

    assert await lacks(world, asked) == ["Nobody is in approvers now."]


async def test_fewer_people_than_are_asked_are_too_few_until_they_are_enough(world: World) -> None:
    await ask_by(world, '@require("approvers:2") @ttl("PT4H")')

    asked = await wish(world)

    assert await lacks(world, asked) == ["2 of approvers have to agree, and only 1 may vote now."]
    await add_person(world, "amy", "approvers")
    assert await lacks(world, await world.vote(asked, world.ann)) == []


async def test_whoever_is_in_two_groups_or_stages_is_one_person(world: World) -> None:
    await add_groups(world, "legal")
    await ask_by(world, '@require("approvers:1, then legal:1") @ttl("PT4H")')
    await add_person(world, "lea", "legal", "approvers")
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)

    asked = await wish(world)

    assert len(await lacks(world, asked)) == 1
