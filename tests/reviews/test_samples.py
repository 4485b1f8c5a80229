"""Samples: a share that policy declares, drawn so that nobody can tell before, looked at once it was carried out."""

from dataclasses import replace

import pytest
from questions import add_person, rules
from world import MASTER_KEY, World

from hub import audit
from hub.audit import EventKind
from hub.bundles import Publication, publish_bundle
from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.owners import give_client
from hub.identity.principals import Principal
from hub.invocations.reviewing import Remark, remark
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.policy import Bundle, BundleInvalid
from hub.reviews import Review, ReviewKind, Verdict, is_drawn, is_reviewer, waiting_for
from hub.storage import Database

pytestmark = pytest.mark.anyio

ASKS = '@require("approvers:1")\n@ttl("PT24H")'
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def review_by(world: World, share: str) -> None:
    """Let policy want `share` of what goes by itself looked at."""
    text = rules(ASKS).replace('@review("approvers:2%")', share)
    async with world.runtime.database.transaction() as tx:
        publication = Publication(environment="dev", text=text, by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, publication)


async def updated(world: World, quantity: int) -> Invocation:
    done = await world.call("item_update", {"id": 1, "quantity": quantity})
    assert done.state is State.VERIFIED
    return done


async def waiting(world: World, person: Principal) -> list[Review]:
    async with world.runtime.database.reading() as tx:
        return await waiting_for(tx, person)


async def test_what_is_drawn_waits_for_the_group_and_is_looked_at_once(world: World) -> None:
    await review_by(world, '@review("approvers:100%")')

    done = await updated(world, 11)
    (review,) = await waiting(world, world.ann)
    said = Remark(review_id=review.id, reviewer=world.ann, verdict=Verdict.FINE, reason="")
    concluded = await remark(said, world.runtime)

    assert (review.kind, review.invocation_id) == (ReviewKind.SAMPLE, done.id)
    assert await waiting(world, world.carl) == await waiting(world, world.rita) == []
    assert (concluded.verdict, concluded.reviewer_id) == (Verdict.FINE, world.ann.id)
    assert await waiting(world, world.ann) == []
    with pytest.raises(Conflict):
        await remark(said, world.runtime)
    async with world.runtime.database.reading() as tx:
        kinds = [one.kind for one in await audit.events_of(tx, done.id)]
    assert kinds[-1] is EventKind.REVIEW_PASSED


@ONE_ENGINE
async def test_a_dispute_needs_a_reason_and_somebody_who_is_asked(world: World) -> None:
    await review_by(world, '@review("approvers:100%")')
    done = await updated(world, 11)
    (review,) = await waiting(world, world.ann)

    for reviewer, reason, error in (
        (world.ann, " ", InputError),
        (world.ann, "x" * 2001, InputError),
        (world.carl, "Not my business.", NotFound),
        (world.rita, "It was me.", NotFound),
        (world.bot, "It was I.", NotFound),
    ):
        with pytest.raises(error):
            await remark(
                Remark(review_id=review.id, reviewer=reviewer, verdict=Verdict.DISPUTED, reason=reason), world.runtime
            )
    disputed = Remark(review_id=review.id, reviewer=world.ann, verdict=Verdict.DISPUTED, reason="Too many.")
    assert (await remark(disputed, world.runtime)).reason == "Too many."
    async with world.runtime.database.reading() as tx:
        assert (await audit.events_of(tx, done.id))[-1].kind is EventKind.REVIEW_DISPUTED


async def test_whoever_owns_an_agent_by_now_does_not_review_what_it_did_for_nobody(world: World) -> None:
    await review_by(world, '@review("approvers:100%")')
    amy = await add_person(world, "amy", "approvers")
    alone = await world.call("item_update", {"id": 1, "quantity": 11}, caller=replace(world.caller, on_behalf_of=None))
    for_rita = await updated(world, 12)
    (review,) = [one for one in await waiting(world, world.ann) if one.invocation_id == alone.id]

    async with world.runtime.database.transaction() as tx:
        await give_client(tx, world.bot.id, world.ann.id, world.runtime.authority)

    assert [one.invocation_id for one in await waiting(world, world.ann)] == [for_rita.id]
    assert [one.invocation_id for one in await waiting(world, amy)] == [alone.id, for_rita.id]
    async with world.runtime.database.reading() as tx:
        is_for = [await is_reviewer(tx, alone.id, one) for one in (world.ann, amy)]
    assert is_for == [False, True]
    said = Remark(review_id=review.id, reviewer=world.ann, verdict=Verdict.FINE, reason="")
    with pytest.raises(NotFound):
        await remark(said, world.runtime)
    assert (await remark(replace(said, reviewer=amy), world.runtime)).reviewer_id == amy.id


@ONE_ENGINE
async def test_where_policy_declares_no_share_nothing_is_drawn(world: World) -> None:
    await review_by(world, "")

    await updated(world, 11)

    assert await waiting(world, world.ann) == []


@ONE_ENGINE
async def test_a_sample_is_about_the_share_and_always_the_same(database: Database, keys: Keyring) -> None:
    digests = [f"{number:064x}" for number in range(4000)]

    drawn = [one for one in digests if is_drawn(one, 50, keys)]

    assert 140 <= len(drawn) <= 260  # 200 of 4000, more than four standard deviations to either side
    assert drawn == [one for one in digests if is_drawn(one, 50, keys)]
    assert not any(is_drawn(one, 0, keys) for one in digests)
    assert all(is_drawn(one, 1000, keys) for one in digests)
    other = await Keyring.open(database, MASTER_KEY)
    assert drawn == [one for one in digests if is_drawn(one, 50, other)]  # after a restart too


def test_a_share_is_read_strictly() -> None:
    permit = 'permit (principal, action == Action::"autocommit", resource);'
    forbid = 'forbid (principal, action == Action::"autocommit", resource);'

    (rule,) = Bundle.parse(f'@id("a") @review("legal|audit:0.5%") {permit}').rules.values()
    assert rule.sample is not None
    assert (rule.sample.group, rule.sample.per_mille) == ("audit|legal", 5)
    for text in (
        f'@id("a") @review("approvers:0%") {permit}',
        f'@id("a") @review("approvers:101%") {permit}',
        f'@id("a") @review("approvers") {permit}',
        f'@id("a") @review("approvers:5%") {forbid}',
        '@id("a") @review("approvers:5%") permit (principal, action, resource);',
    ):
        with pytest.raises(BundleInvalid, match="@review"):
            Bundle.parse(text)
