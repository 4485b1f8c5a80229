"""Stages: who is asked is asked in order, counts once, and is told when it is their turn."""

import pytest
from questions import add_groups, add_person, ask_by, wish
from sqlalchemy import select
from world import World

from hub import approvals
from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.core.errors import Conflict, Forbidden
from hub.identity.accounts import set_groups
from hub.identity.principals import Principal
from hub.invocations.approve import APPROVAL_REQUESTED
from hub.invocations.envelope import envelope
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.outbox.tables import MessageRow

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def in_turn(world: World) -> tuple[Principal, Principal]:
    """Let policy ask an approver first and then somebody of legal or of compliance; return one of each of these."""
    await add_groups(world, "legal", "compliance")
    await ask_by(world, '@require("approvers:1, then legal|compliance:1") @ttl("PT4H")')
    return await add_person(world, "lea", "legal"), await add_person(world, "cleo", "compliance", "approvers")


async def told(world: World) -> list[tuple[int, list[str]]]:
    """Return who was told so far, stage by stage."""
    async with world.runtime.database.reading() as tx:
        query = select(MessageRow).where(MessageRow.topic == APPROVAL_REQUESTED).order_by(MessageRow.id)
        return [(one.payload["stage"], one.payload["groups"]) for one in await tx.scalars(query)]


async def inbox(world: World, person: Principal) -> list[str]:
    async with world.runtime.database.reading() as tx:
        return await approvals.waiting_for(tx, person)


async def test_a_later_stage_is_asked_and_told_only_when_the_one_before_is_complete(world: World) -> None:
    lea, _ = await in_turn(world)
    asked = await wish(world)
    assert (await inbox(world, world.ann), await inbox(world, lea)) == ([asked.id], [])
    assert await told(world) == [(1, ["approvers"])]

    with pytest.raises(Forbidden, match="others are asked after them"):
        await world.vote(asked, lea)
    half = await world.vote(asked, world.ann)

    assert half.state is State.AWAITING_APPROVAL
    assert (await inbox(world, world.ann), await inbox(world, lea)) == ([], [asked.id])
    assert await told(world) == [(1, ["approvers"]), (2, ["compliance", "legal"])]
    assert (await world.vote(half, lea)).state is State.APPROVED
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED


async def test_nobody_votes_in_two_stages(world: World) -> None:
    lea, cleo = await in_turn(world)
    asked = await wish(world)

    half = await world.vote(asked, cleo)
    with pytest.raises(Conflict, match="already voted"):
        await world.vote(half, cleo)

    assert await inbox(world, cleo) == []
    assert (await world.vote(half, lea)).state is State.APPROVED


async def test_a_veto_in_the_last_stage_rejects(world: World) -> None:
    lea, _ = await in_turn(world)
    half = await world.vote(await wish(world), world.ann)

    assert (await world.vote(half, lea, Choice.REJECT)).state is State.REJECTED


async def test_the_agent_is_told_who_decides_now_and_who_afterwards(world: World) -> None:
    await in_turn(world)
    asked = await wish(world)

    first = envelope(asked, public_url="http://hub").text
    second = envelope(await world.vote(asked, world.ann), public_url="http://hub").text

    assert "1 of approvers, then 1 of compliance or legal must approve it" in first
    assert ": 1 of compliance or legal must approve it" in second


async def test_an_approval_is_void_when_somebody_of_an_earlier_stage_has_left(world: World) -> None:
    lea, _ = await in_turn(world)
    asked = await world.vote(await world.vote(await wish(world), world.ann), lea)
    assert asked.state is State.APPROVED
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset({"legal"}), world.runtime.authority)

    assert (await resume(asked.id, world.runtime)).state is State.STALE
    assert world.upstream.store.effects() == []


async def test_an_approval_is_void_when_policy_now_asks_in_another_order(world: World) -> None:
    lea, _ = await in_turn(world)
    asked = await world.vote(await world.vote(await wish(world), world.ann), lea)
    await ask_by(world, '@require("legal|compliance:1, then approvers:1")')

    assert (await resume(asked.id, world.runtime)).state is State.STALE
    assert world.upstream.store.effects() == []


async def test_the_vote_on_record_says_in_which_stage_it_was_cast(world: World) -> None:
    lea, _ = await in_turn(world)
    asked = await world.vote(await world.vote(await wish(world), world.ann), lea)

    async with world.runtime.database.reading() as tx:
        cast = [one.facts for one in await events_of(tx, asked.id) if one.kind is EventKind.VOTE_CAST]
    assert [(facts["stage"], facts["groups"]) for facts in cast] == [(1, ["approvers"]), (2, ["legal"])]
