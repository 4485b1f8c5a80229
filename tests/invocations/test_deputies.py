"""Deputies: they vote in somebody's place, once, bound by all that binds that person, and for nobody else."""

from datetime import UTC, datetime, timedelta

import pytest
from questions import add_groups, add_person, ask_by, wish
from sqlalchemy import update
from world import World

from hub import approvals
from hub.approvals import Absence, Choice, Deputyship, end_deputyship, name_deputy
from hub.approvals.tables import DeputyRow
from hub.audit import EventKind, events_of
from hub.core.errors import Conflict, Forbidden, InputError, NotFound
from hub.identity.accounts import set_groups, suspend
from hub.identity.principals import Principal
from hub.invocations.resume import resume
from hub.invocations.states import State

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

DAY = timedelta(days=1)


async def away(world: World, absent: Principal, deputy: Principal, *, starts: int = -1, ends: int = 1) -> Deputyship:
    """Let `deputy` vote for `absent` from so many days from now until so many."""
    now = datetime.now(UTC)
    absence = Absence(absent=absent, deputy=deputy.name, starts_at=now + starts * DAY, ends_at=now + ends * DAY)
    async with world.runtime.database.transaction() as tx:
        return await name_deputy(tx, absence, world.runtime.authority)


async def inbox(world: World, person: Principal) -> list[str]:
    async with world.runtime.database.reading() as tx:
        return await approvals.waiting_for(tx, person)


async def test_a_deputy_votes_in_somebodys_place_and_it_is_on_record_so(world: World) -> None:
    dora = await add_person(world, "dora")
    asked = await wish(world)
    with pytest.raises(Forbidden):
        await world.vote(asked, dora)
    assert await inbox(world, dora) == []

    await away(world, world.ann, dora)
    assert await inbox(world, dora) == [asked.id]
    approved = await world.vote(asked, dora)

    assert approved.state is State.APPROVED
    assert approved.question is not None
    (vote,) = approved.question.votes
    assert (vote.voter_id, vote.for_id, vote.groups) == (dora.id, world.ann.id, frozenset({"approvers"}))
    async with world.runtime.database.reading() as tx:
        (cast,) = [one for one in await events_of(tx, asked.id) if one.kind is EventKind.VOTE_CAST]
    assert (cast.actor, cast.facts["in_place_of"]) == (dora.id, world.ann.id)
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED


async def test_a_person_and_a_deputy_count_once_between_them(world: World) -> None:
    await ask_by(world, '@require("approvers:2")')
    dora, bob = await add_person(world, "dora"), await add_person(world, "bob", "approvers")
    await away(world, world.ann, dora)
    first, second = await wish(world, 1), await world.call("ticket_create", {"title": "x"})

    await world.vote(first, dora)
    assert await inbox(world, world.ann) == [second.id]
    with pytest.raises(Conflict, match="Your deputy has already voted"):
        await world.vote(first, world.ann)
    await world.vote(second, world.ann)
    assert await inbox(world, dora) == []
    with pytest.raises(Forbidden):
        await world.vote(second, dora)

    assert (await world.vote(first, bob)).state is State.APPROVED


async def test_a_deputy_of_two_people_votes_once(world: World) -> None:
    await ask_by(world, '@require("approvers:2")')
    dora, bob = await add_person(world, "dora"), await add_person(world, "bob", "approvers")
    for absent in (world.ann, bob):
        await away(world, absent, dora)
    asked = await world.vote(await wish(world), dora)

    with pytest.raises(Conflict, match="already voted"):
        await world.vote(asked, dora)


async def test_who_votes_for_another_is_not_replaced_by_a_deputy_as_well(world: World) -> None:
    """Dora votes for ann; eve, dora's own deputy, would make the same person count a second time."""
    await ask_by(world, '@require("approvers:2")')
    dora, eve = await add_person(world, "dora"), await add_person(world, "eve")
    await away(world, world.ann, dora)
    await away(world, dora, eve)
    asked = await world.vote(await wish(world), dora)
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, dora.id, frozenset({"approvers"}), world.runtime.authority)

    with pytest.raises(Forbidden):
        await world.vote(asked, eve)


async def test_deputies_have_no_deputies(world: World) -> None:
    dora, eve = await add_person(world, "dora"), await add_person(world, "eve")
    await away(world, world.ann, dora)
    await away(world, dora, eve)

    with pytest.raises(Forbidden):
        await world.vote(await wish(world), eve)


async def test_whoever_takes_part_in_a_call_decides_it_neither_as_a_deputy_nor_through_one(world: World) -> None:
    dora = await add_person(world, "dora")
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.rita.id, frozenset({"approvers"}), world.runtime.authority)
    asked = await wish(world)

    await away(world, world.ann, world.rita)
    with pytest.raises(Forbidden, match="take part"):
        await world.vote(asked, world.rita)
    await away(world, world.rita, dora)
    with pytest.raises(Forbidden):
        await world.vote(asked, dora)


async def test_somebody_who_voted_in_an_earlier_stage_is_no_deputy_in_a_later_one(world: World) -> None:
    await add_groups(world, "legal")
    await ask_by(world, '@require("approvers:1, then legal:1")')
    lea = await add_person(world, "lea", "legal")
    await away(world, lea, world.ann)
    half = await world.vote(await wish(world), world.ann)

    with pytest.raises(Conflict, match="already voted"):
        await world.vote(half, world.ann)

    assert (await world.vote(half, lea)).state is State.APPROVED


@pytest.mark.parametrize(("starts", "ends"), [(1, 2), (-2, 1)], ids=["before", "ended"])
async def test_a_deputy_votes_within_the_time_alone(world: World, starts: int, ends: int) -> None:
    dora = await add_person(world, "dora")
    named = await away(world, world.ann, dora, starts=starts, ends=ends)
    if starts < 0:  # a moment that passes, without waiting for it
        async with world.runtime.database.transaction() as tx:
            past = datetime.now(UTC) - timedelta(seconds=1)
            await tx.execute(update(DeputyRow).where(DeputyRow.id == named.id).values(ends_at=past))

    with pytest.raises(Forbidden):
        await world.vote(await wish(world), dora)


async def test_whoever_is_back_early_ends_it_and_nobody_else_can(world: World) -> None:
    dora = await add_person(world, "dora")
    named = await away(world, world.ann, dora)
    asked = await wish(world)

    async with world.runtime.database.transaction() as tx:
        with pytest.raises(NotFound):
            await end_deputyship(tx, named.id, dora, world.runtime.authority)
        await end_deputyship(tx, named.id, world.ann, world.runtime.authority)

    with pytest.raises(Forbidden):
        await world.vote(asked, dora)


async def test_a_deputys_vote_is_void_once_the_absent_person_has_left_the_group(world: World) -> None:
    dora = await add_person(world, "dora")
    await away(world, world.ann, dora)
    asked = await world.vote(await wish(world), dora)
    assert asked.state is State.APPROVED
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)

    assert (await resume(asked.id, world.runtime)).state is State.STALE
    with pytest.raises(Forbidden):
        await world.vote(await world.call("ticket_create", {"title": "x"}), dora)


@pytest.mark.parametrize("who", ["absent", "deputy"])
async def test_a_deputys_vote_is_void_once_either_is_suspended(world: World, who: str) -> None:
    dora = await add_person(world, "dora")
    await away(world, world.ann, dora)
    asked = await world.vote(await wish(world), dora)
    async with world.runtime.database.transaction() as tx:
        gone = world.ann if who == "absent" else dora
        await suspend(tx, gone.id, "left", world.runtime.authority)

    assert (await resume(asked.id, world.runtime)).state is State.STALE
    assert world.upstream.store.effects() == []


async def test_what_a_deputy_proposes_the_absent_person_does_not_approve_either(world: World) -> None:
    from hub.invocations.counter import CounterProposal, counter

    dora = await add_person(world, "dora")
    await away(world, world.ann, dora)
    asked = await world.call("item_put", {"id": 7, "name": "stapler", "quantity": 600_000})
    proposal = CounterProposal(
        ballot=world.ballot(asked, dora, Choice.REJECT), arguments={"id": 7, "name": "stapler", "quantity": 4}
    )

    revised = await counter(proposal, world.runtime)

    for one in (dora, world.ann):
        with pytest.raises(Forbidden, match="take part"):
            await world.vote(revised, one)


async def test_deputies_are_named_with_care(world: World) -> None:
    dora = await add_person(world, "dora")
    await away(world, world.ann, dora, starts=10, ends=12)

    for absent, deputy, starts, ends, error in (
        (world.ann, dora, 11, 13, Conflict),
        (world.ann, world.carl, 9, 11, Conflict),
        (world.ann, dora, 3, 2, InputError),
        (world.ann, dora, -3, -2, InputError),
        (world.ann, dora, 20, 200, InputError),
        (world.ann, world.ann, 1, 2, InputError),
        (world.ann, world.bot, 1, 2, InputError),
    ):
        with pytest.raises(error):
            await away(world, absent, deputy, starts=starts, ends=ends)
    await away(world, world.ann, dora, starts=12, ends=13)
