"""Confirming: the person an agent acts for says yes or no itself, before anybody else is asked, and nobody for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from questions import add_groups, add_person, ask_by, wish
from world import World

from hub import approvals
from hub.approvals import Choice, Deputyship, Way, name_deputy
from hub.approvals.deputies import Absence
from hub.audit import EventKind, events_of
from hub.core.errors import Conflict, Forbidden, FreshLoginNeeded
from hub.identity.accounts import suspend
from hub.identity.principals import Caller, Principal
from hub.invocations.counter import CounterProposal, counter
from hub.invocations.envelope import envelope
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import ApprovedBy, Invocation
from hub.invocations.votes import vote

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

ALONE = '@confirm("requester") @ttl("PT4H")'
AND_OTHERS = '@confirm("requester") @require("approvers:1") @ttl("PT4H")'


async def inbox(world: World, person: Principal) -> list[str]:
    async with world.runtime.database.reading() as tx:
        return await approvals.waiting_for(tx, person)


async def heard(world: World, asked: Invocation) -> list[str]:
    """Return the names of those whom channels tell that it waits for them."""
    async with world.runtime.database.reading() as tx:
        question = await approvals.latest(tx, asked.id)
        assert question is not None
        return [one.name for one in await approvals.electorate(tx, question)]


async def test_what_its_requester_confirms_is_carried_out(world: World) -> None:
    await ask_by(world, ALONE)
    asked = await wish(world)
    assert asked.state is State.AWAITING_APPROVAL
    assert (await inbox(world, world.rita), await inbox(world, world.ann)) == ([asked.id], [])
    assert await heard(world, asked) == ["rita"]

    confirmed = await world.vote(asked, world.rita)

    assert (confirmed.state, confirmed.approved_by) == (State.APPROVED, ApprovedBy.PEOPLE)
    assert await inbox(world, world.rita) == []
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED
    assert len(world.upstream.store.effects()) == 1


async def test_nobody_confirms_in_the_place_of_the_requester(world: World) -> None:
    await ask_by(world, ALONE)
    asked = await wish(world)
    await away(world, world.rita, "carl")

    for somebody in (world.ann, world.carl, world.bot):
        with pytest.raises(Forbidden):
            await world.vote(asked, somebody)

    assert await inbox(world, world.carl) == []
    assert await heard(world, asked) == ["rita"]


async def away(world: World, absent: Principal, deputy: str) -> Deputyship:
    at, hour = datetime.now(UTC), timedelta(hours=1)
    absence = Absence(absent=absent, deputy=deputy, starts_at=at - hour, ends_at=at + hour)
    async with world.runtime.database.transaction() as tx:
        return await name_deputy(tx, absence, world.runtime.authority)


async def test_a_group_called_requester_confirms_nothing(world: World) -> None:
    await add_groups(world, "requester")
    rex = await add_person(world, "rex", "requester")
    await ask_by(world, ALONE)
    asked = await wish(world)

    with pytest.raises(Forbidden, match="the person it is done for"):
        await world.vote(asked, rex)


async def test_others_are_asked_only_when_the_requester_has_confirmed(world: World) -> None:
    await ask_by(world, AND_OTHERS)
    asked = await wish(world)
    with pytest.raises(Forbidden):
        await world.vote(asked, world.ann)

    half = await world.vote(asked, world.rita)

    assert half.state is State.AWAITING_APPROVAL
    assert (await inbox(world, world.rita), await inbox(world, world.ann)) == ([], [asked.id])
    with pytest.raises(Forbidden, match="somebody else"):
        await world.vote(half, world.rita)
    assert (await world.vote(half, world.ann)).state is State.APPROVED
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED


async def test_a_confirmation_does_not_stand_for_the_vote_of_a_group_the_requester_is_in(world: World) -> None:
    await ask_by(world, AND_OTHERS)
    asked = await wish_of(world, world.ann)

    half = await world.vote(asked, world.ann)

    assert half.state is State.AWAITING_APPROVAL
    with pytest.raises(Forbidden, match="somebody else"):
        await world.vote(half, world.ann)


async def wish_of(world: World, person: Principal) -> Invocation:
    return await world.call("item_delete", {"id": 1}, caller=replace(world.caller, on_behalf_of=person))


async def test_what_its_requester_declines_ends_and_nobody_else_is_asked(world: World) -> None:
    await ask_by(world, AND_OTHERS)
    asked = await wish(world)

    declined = await world.vote(asked, world.rita, Choice.REJECT)

    assert declined.state is State.REJECTED
    assert "The person you act for declined it" in envelope(declined, public_url="http://hub").text
    again = await wish(world)
    assert (again.state, again.repeats) == (State.REJECTED, True)
    assert await inbox(world, world.ann) == []
    assert world.upstream.store.effects() == []


async def test_an_agent_that_acts_for_nobody_is_confirmed_by_its_owner(world: World) -> None:
    await ask_by(world, ALONE)
    alone = Caller(actor=world.bot, scopes=world.caller.scopes, client_id=world.bot.id)

    asked = await world.call("item_delete", {"id": 1}, caller=alone)

    assert await heard(world, asked) == ["rita"]
    assert (await world.vote(asked, world.rita)).state is State.APPROVED


async def test_a_confirmation_is_given_on_its_page_after_a_login(world: World) -> None:
    await ask_by(world, ALONE)
    asked = await wish(world)

    elsewhere = replace(world.ballot(asked, world.rita), way=Way.SLACK)

    with pytest.raises(FreshLoginNeeded, match="on its page only"):
        await vote(elsewhere, world.runtime)


async def test_a_rule_may_want_a_fresh_login_of_the_requester(world: World) -> None:
    await ask_by(world, '@confirm("requester") @fresh("PT5M")')
    asked = await wish(world)
    earlier = datetime.now(UTC) - timedelta(minutes=6)

    with pytest.raises(FreshLoginNeeded):
        await vote(replace(world.ballot(asked, world.rita), authenticated_at=earlier), world.runtime)


async def test_who_is_asked_to_confirm_proposes_nothing_else(world: World) -> None:
    await ask_by(world, ALONE)
    asked = await wish(world)
    ballot = world.ballot(asked, world.rita, Choice.REJECT)

    with pytest.raises(Conflict, match="exactly this"):
        await counter(CounterProposal(ballot=ballot, arguments={"id": 2}), world.runtime)


async def test_what_approvers_change_is_confirmed_anew(world: World) -> None:
    await ask_by(world, AND_OTHERS)
    asked = await world.call("item_put", {"id": 7, "name": "stapler", "quantity": 600_000})
    half = await world.vote(asked, world.rita)
    ballot = world.ballot(half, world.ann, Choice.REJECT)
    fewer = {"id": 7, "name": "stapler", "quantity": 40}

    changed = await counter(CounterProposal(ballot=ballot, arguments=fewer), world.runtime)

    assert (changed.revision, changed.state) == (2, State.AWAITING_APPROVAL)
    assert await heard(world, changed) == ["rita"]


async def test_what_its_requester_confirmed_is_not_sent_once_they_are_suspended(world: World) -> None:
    await ask_by(world, ALONE)
    asked = await world.vote(await wish(world), world.rita)
    async with world.runtime.database.transaction() as tx:
        await suspend(tx, world.rita.id, "left", world.runtime.authority)

    ended = await resume(asked.id, world.runtime)

    assert ended.state is not State.VERIFIED
    assert world.upstream.store.effects() == []


async def test_the_agent_is_told_that_its_person_has_to_confirm_and_where(world: World) -> None:
    await ask_by(world, AND_OTHERS)

    asked = await wish(world)

    told = envelope(asked, public_url="http://hub")
    assert "the person it is done for, then 1 of approvers must agree" in told.text
    assert told.structured["status"] == "pending_approval"
    assert told.structured["status_url"] == f"http://hub/approvals/{asked.id}"
    assert f"confirm or decline it at http://hub/approvals/{asked.id}" in told.text


async def test_a_confirmation_is_on_record_with_who_gave_it(world: World) -> None:
    await ask_by(world, ALONE)
    asked = await wish(world)

    await world.vote(asked, world.rita)

    async with world.runtime.database.reading() as tx:
        events = await events_of(tx, asked.id)
    (cast,) = [one for one in events if one.kind is EventKind.VOTE_CAST]
    assert (cast.actor, cast.facts["groups"], cast.facts["stage"]) == (world.rita.id, ["@requester"], 0)
