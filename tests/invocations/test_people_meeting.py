"""People who decide at the same moment, on both engines: each vote counts once, and one decision stands."""

import asyncio

import pytest
from questions import add_groups, add_person, ask_by, wish
from sqlalchemy import select
from world import World

from hub.approvals import Choice, Limit
from hub.core.errors import ChangedSinceSeen, Conflict, Forbidden, HubError
from hub.identity.principals import Principal
from hub.invocations.approve import APPROVAL_REQUESTED
from hub.invocations.batch import Item, vote_on_batch
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.queries import current
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.outbox.tables import MessageRow

pytestmark = pytest.mark.anyio

MANY = {"id": 7, "name": "stapler", "quantity": 600_000}
FEW = {"id": 7, "name": "stapler", "quantity": 40}


async def test_votes_that_meet_complete_a_stage_once(world: World) -> None:
    """Two people of one stage and one of the next vote at the same moment, whoever comes first."""
    await add_groups(world, "legal")
    await ask_by(world, '@require("approvers:2, then legal:1")')
    bob, lea = await add_person(world, "bob", "approvers"), await add_person(world, "lea", "legal")
    asked = await wish(world)

    async def outcome(voter: Principal) -> Invocation | HubError:
        try:
            return await world.vote(asked, voter)
        except HubError as refusal:
            return refusal

    *_, early = await asyncio.gather(*(outcome(voter) for voter in (world.ann, bob, lea)))

    half = await current(world.runtime, asked.id)
    if isinstance(early, Forbidden):  # she came before her turn, and comes again
        half = await world.vote(half, lea)
    assert half.state is State.APPROVED
    assert half.question is not None
    assert [(vote.stage, vote.voter_id) for vote in half.question.votes][2] == (2, lea.id)
    async with world.runtime.database.reading() as tx:
        told = await tx.scalars(select(MessageRow).where(MessageRow.topic == APPROVAL_REQUESTED))
        assert sorted(one.payload["stage"] for one in told) == [1, 2]


async def test_an_approval_and_a_proposal_that_meet_end_in_one_of_them(world: World) -> None:
    bob = await add_person(world, "bob", "approvers")
    asked = await world.call("item_put", MANY)

    async def outcome(*, proposes: bool) -> Invocation | HubError:
        try:
            if proposes:
                return await counter(
                    CounterProposal(ballot=world.ballot(asked, world.ann, Choice.REJECT), arguments=FEW), world.runtime
                )
            return await world.vote(asked, bob)
        except HubError as refusal:
            return refusal

    proposed, voted = await asyncio.gather(outcome(proposes=True), outcome(proposes=False))

    stands = await current(world.runtime, asked.id)
    if isinstance(proposed, HubError):
        assert (stands.state, stands.arguments) == (State.APPROVED, MANY)
    else:
        assert isinstance(voted, Conflict | ChangedSinceSeen)
        assert (stands.state, stands.arguments) == (State.AWAITING_APPROVAL, FEW)


async def test_a_batch_and_a_single_vote_that_meet_count_once(world: World) -> None:
    await ask_by(world, '@require("approvers:2")\n@ttl("PT24H")')
    asked = [await world.call("item_put", MANY | {"id": number}) for number in (31, 32, 33)]
    items = [Item(invocation_id=one.id, digest=one.question.digest) for one in asked if one.question is not None]

    async def single(one: Invocation) -> Invocation | HubError:
        try:
            return await world.vote(one, world.ann)
        except HubError as refusal:
            return refusal

    decided, *singles = await asyncio.gather(
        vote_on_batch(world.ballot(asked[0], world.ann), items, Limit(), world.runtime), *map(single, asked)
    )

    for one, counted, alone in zip(asked, decided, singles, strict=True):
        stands = await current(world.runtime, one.id)
        assert stands.question is not None
        assert len(stands.question.votes) == 1
        assert (counted.state is None) is not isinstance(alone, HubError)
