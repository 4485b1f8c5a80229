"""Giving standing grants, and taking them back: who may, and what no grant can stand for."""

from datetime import UTC, datetime, timedelta

import pytest
from questions import add_person
from sqlalchemy import select, update
from world import World

from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.bundles import publish_default
from hub.core.errors import Conflict, Forbidden, FreshLoginNeeded, InputError, NotFound
from hub.identity.accounts import set_groups, set_roles
from hub.identity.principals import Role
from hub.invocations.break_glass import Breaking, break_glass
from hub.invocations.granting import give, seen_by, take_back
from hub.invocations.resume import resume
from hub.invocations.reviewing import Remark, remark
from hub.invocations.states import DONE, State
from hub.invocations.tables import InvocationRow
from hub.reviews import Verdict, waiting_for
from hub.standing import Limit, get_grant
from hub.standing.tables import StandingGrantRow
from standing.desk import (
    approved_only,
    asked,
    granted,
    item,
    policy_asks_for_two,
    policy_takes_the_givers_vote,
    publish,
    rules,
    tier_is_raised,
    wanted,
)

pytestmark = pytest.mark.anyio

ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ONE_ENGINE
async def test_a_grant_is_given_by_those_alone_who_could_vote(world: World) -> None:
    like = await asked(world)
    two = await world.call("item_delete", {"id": 1})
    async with world.runtime.database.transaction() as tx:
        rita = await set_groups(tx, world.rita.id, frozenset({"approvers"}), world.runtime.authority)

    for more, error, why in (
        ({"giver": world.carl}, Forbidden, "Only members of approvers"),
        ({"giver": rita}, Forbidden, "take part in this call yourself"),
        ({"giver": world.bot}, Forbidden, "Only a person"),
        ({"like": "inv_none"}, NotFound, "no such invocation"),
        ({"limits": {"price": Limit(at_most=1)}}, InputError, "There is no fact 'price'"),
        ({"limits": {"quantity": Limit(at_most=1)}}, Conflict, "would not cover the call it is made from"),
        ({"uses": 0}, InputError, "uses"),
        ({"uses": 10_001}, InputError, "uses"),
        ({"lasts": timedelta(days=91)}, InputError, "at most 90 days"),
        ({"lasts": timedelta(0)}, InputError, "at most 90 days"),
        ({"reason": "  "}, InputError, "Say in at most"),
        ({"money_minor": -1}, InputError, "not below 0"),
        ({"money_per_call_minor": 2, "money_minor": 1}, InputError, "One call cannot move more"),
    ):
        with pytest.raises(error, match=why):
            await give(wanted(world, like, **more), world.runtime)
    async with world.runtime.database.transaction() as tx:
        await policy_takes_the_givers_vote(world, tx)
    with pytest.raises(Forbidden, match="Policy does not let you"):
        await give(wanted(world, two, limits={}), world.runtime)
    async with world.runtime.database.reading() as tx:
        assert await tx.scalar(select(StandingGrantRow.id)) is None


@ONE_ENGINE
async def test_no_grant_is_made_from_a_call_that_people_rejected(world: World) -> None:
    like = await asked(world)
    bob = await add_person(world, "bob", "approvers")
    await world.vote(like, world.ann, Choice.REJECT)

    with pytest.raises(Conflict, match="People rejected this call, so nothing is granted like it; grant from one they"):
        await give(wanted(world, like, giver=bob), world.runtime)

    assert (await asked(world, 41)).state is State.AWAITING_APPROVAL


async def test_a_grant_ends_when_people_reject_the_call_it_was_made_from(world: World) -> None:
    like, another = await asked(world), await asked(world, 42)
    grant = await give(wanted(world, like), world.runtime)
    other = await give(wanted(world, another), world.runtime)
    waiting = await approved_only(world, 41)

    await world.vote(like, world.ann, Choice.REJECT)
    stale = await resume(waiting.id, world.runtime)

    async with world.runtime.database.reading() as tx:
        ended, still = await get_grant(tx, grant.id), await get_grant(tx, other.id)
        (revoked,) = [one for one in await events_of(tx, grant.id) if one.kind is EventKind.STANDING_REVOKED]
    assert (ended.revoked_by, ended.revoked_reason) == (world.ann.id, "The call that it was made from was rejected.")
    assert (revoked.actor, "reason" in revoked.facts) == (world.ann.id, False)
    assert still.revoked_at is None
    assert stale.sends == 0


@ONE_ENGINE
async def test_a_grant_ends_when_somebody_disputes_the_broken_glass_it_was_made_from_and_none_is_made_again(
    world: World,
) -> None:
    like = await asked(world)
    bob = await add_person(world, "bob", "approvers")
    async with world.runtime.database.transaction() as tx:
        operator = await set_roles(tx, world.carl.id, frozenset({Role.OPERATOR}), world.runtime.authority)
    assert like.question is not None
    broken = Breaking(
        invocation_id=like.id,
        digest=like.question.digest,
        breaker=operator,
        authenticated_at=datetime.now(UTC),
        reason="Nobody answers.",
    )
    await break_glass(broken, world.runtime)
    grant = await give(wanted(world, like), world.runtime)

    async with world.runtime.database.reading() as tx:
        (review,) = await waiting_for(tx, bob)
    said = Remark(review_id=review.id, reviewer=bob, verdict=Verdict.DISPUTED, reason="It was not urgent.")
    await remark(said, world.runtime)

    async with world.runtime.database.reading() as tx:
        ended = await get_grant(tx, grant.id)
    assert (ended.revoked_by, ended.revoked_reason) == (bob.id, "The call that it was made from was disputed.")
    with pytest.raises(Conflict, match="Somebody has disputed this call"):
        await give(wanted(world, like), world.runtime)


@ONE_ENGINE
async def test_no_grant_is_given_for_what_is_critical_or_needs_two(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await policy_asks_for_two(world, tx)
    two = await asked(world)
    with pytest.raises(Forbidden, match="more than one vote"):
        await give(wanted(world, two), world.runtime)

    async with world.runtime.database.transaction() as tx:
        critical = rules().replace('@require("approvers:1 controllers:1")', '@require("approvers:1")')
        await publish(world, tx, critical)
        await tier_is_raised(world, tx)
    with pytest.raises(Forbidden, match="critical"):
        await give(wanted(world, await asked(world, 41)), world.runtime)


@ONE_ENGINE
async def test_where_the_rule_asks_for_a_fresh_login_granting_does_too(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await publish(world, tx, rules().replace('@id("high")', '@id("high") @fresh("PT5M")'))
    like = await asked(world)
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)

    with pytest.raises(FreshLoginNeeded):
        await give(wanted(world, like, authenticated_at=an_hour_ago), world.runtime)

    await give(wanted(world, like), world.runtime)
    assert (await world.call("item_put", item(41))).state in DONE


@ONE_ENGINE
async def test_a_high_tier_in_production_is_granted_after_a_fresh_login_alone(world: World) -> None:
    like = await asked(world)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(environment="prod"))
        await publish_default(tx, world.runtime.database, world.runtime.keys, environment="prod")

    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    with pytest.raises(FreshLoginNeeded):
        await give(wanted(world, like, authenticated_at=long_ago), world.runtime)

    assert (await give(wanted(world, like), world.runtime)).environment == "prod"


@ONE_ENGINE
async def test_a_grant_is_seen_and_taken_back_by_those_it_concerns(world: World) -> None:
    grant = await granted(world)

    async with world.runtime.database.reading() as tx:
        assert [one.id for one in await seen_by(tx, world.ann)] == [grant.id]
        assert await seen_by(tx, world.carl) == []
    with pytest.raises(NotFound):
        await take_back(grant.id, by=world.carl, reason="Not mine.", runtime=world.runtime)
    with pytest.raises(InputError):
        await take_back(grant.id, by=world.ann, reason=" ", runtime=world.runtime)

    taken = await take_back(grant.id, by=world.rita, reason="She owns the agent.", runtime=world.runtime)

    assert (taken.revoked_by, taken.revoked_reason) == (world.rita.id, "She owns the agent.")
    with pytest.raises(Conflict):
        await take_back(grant.id, by=world.ann, reason="Again.", runtime=world.runtime)


@ONE_ENGINE
async def test_where_one_of_several_groups_is_asked_each_may_grant_and_must_stay_in_it(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await publish(world, tx, rules().replace('@require("approvers:1")', '@require("approvers|controllers:1")'))
    grant = await give(wanted(world, await asked(world), giver=world.carl), world.runtime)

    first = await world.call("item_put", item(41))
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.carl.id, frozenset(), world.runtime.authority)
    second = await world.call("item_put", item(42))

    assert first.state in DONE
    assert second.state is State.AWAITING_APPROVAL
    async with world.runtime.database.reading() as tx:
        assert [one.id for one in await seen_by(tx, world.ann)] == [grant.id]
        assert await seen_by(tx, world.rita) == []
