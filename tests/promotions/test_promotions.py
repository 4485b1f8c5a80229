"""A release comes to staging and prod through its gates alone, which are looked at again when it is put in use."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from hub import audit, promotions
from hub.core.errors import ChangedSinceSeen, Conflict, Forbidden, FreshLoginNeeded, InputError, NotFound
from hub.identity.accounts import set_groups, set_roles, suspend
from hub.identity.principals import Role
from hub.promotions import Decision, Gate, Promotion, Stand, State
from hub.registry import BadgeVerdict, Environment, Grade, find_tool, newest_release, versions, withdraw_version
from hub.registry.tables import ConnectorRow
from promotions.stage import DOCUMENTED, LATER, Stage

pytestmark = pytest.mark.anyio


async def ready(stage: Stage) -> Promotion:
    """Return a promotion to prod of which every gate holds, or waits for the second person."""
    await stage.call("item_put", {"id": 7, "name": "ruler", "quantity": 3})
    await stage.release(DOCUMENTED)
    await stage.badge(DOCUMENTED)
    return await stage.ask()


async def test_a_release_comes_to_staging_once_the_contract_kit_has_tried_all_its_writes(stage: Stage) -> None:
    await stage.release(DOCUMENTED, is_staged=False)
    asked = await stage.ask(Environment.STAGING)
    with pytest.raises(Conflict, match=r"Not every gate holds now.*badge: Nothing of item_delete, .* has passed"):
        await stage.decide(asked, stage.world.rita)
    await stage.badge(DOCUMENTED)

    again = await stage.ask(Environment.STAGING)
    in_force = await stage.decide(again, stage.world.rita)

    assert [(one.gate, one.stand) for one in again.findings] == [
        (Gate.PATH, Stand.HOLDS),
        (Gate.BADGE, Stand.HOLDS),
    ]
    assert in_force.state is State.IN_FORCE
    assert [await stage.version_in(one) for one in Environment] == [1, 1, 1]


async def test_a_release_comes_to_prod_with_the_calls_played_and_a_second_person(stage: Stage) -> None:
    asked = await ready(stage)

    in_force = await stage.decide(asked, stage.world.ann)

    assert [(one.gate, one.stand) for one in asked.findings] == [
        (Gate.PATH, Stand.HOLDS),
        (Gate.BADGE, Stand.HOLDS),
        (Gate.REPLAY, Stand.HOLDS),
        (Gate.PERSON, Stand.OPEN),
    ]
    assert asked.rehearsal is not None
    assert [(one.tool, one.likeness) for one in asked.rehearsal.played] == [("item_put", "same")]
    assert (in_force.state, in_force.decided_by) == (State.IN_FORCE, stage.world.ann.id)
    async with stage.world.runtime.database.reading() as tx:
        kinds = [event.kind for event in await audit.events_of(tx, asked.id)]
    assert kinds == ["promotion.asked", "promotion.checked", "promotion.in_force"]


async def test_nobody_decides_who_asked_published_owns_or_has_only_a_role(stage: Stage) -> None:
    asked = await ready(stage)
    world = stage.world
    async with world.runtime.database.transaction() as tx:
        rita = await set_groups(tx, world.rita.id, frozenset({"approvers"}), stage.authority(None))
        carl = await set_roles(tx, world.carl.id, frozenset({Role.ADMINISTRATOR}), stage.authority(None))

    with pytest.raises(Forbidden, match="You asked for it"):
        await stage.decide(asked, rita)
    with pytest.raises(Forbidden, match="Only people of approvers"):
        await stage.decide(asked, carl)
    with pytest.raises(Forbidden, match="Only people of approvers"):
        await stage.decide(asked, world.bot)
    async with world.runtime.database.transaction() as tx:
        with pytest.raises(Forbidden, match="the console is nobody"):
            await promotions.put_in_force(
                tx, asked.id, _agreed(asked), world.runtime.promotions, world.runtime.authority
            )
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ConnectorRow).values(owner_id=world.ann.id))
    with pytest.raises(Forbidden, match="own the connector"):
        await stage.decide(asked, world.ann)


async def test_whoever_published_the_release_does_not_decide_on_it(stage: Stage) -> None:
    world = stage.world
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ConnectorRow).values(owner_id=world.ann.id))
    await stage.release(DOCUMENTED, by=world.ann)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(ConnectorRow).values(owner_id=world.rita.id))
    asked = await stage.ask()

    with pytest.raises(Forbidden, match="published it"):
        await stage.decide(asked, world.ann)


async def test_a_second_person_who_lost_the_group_or_was_suspended_decides_nothing(stage: Stage) -> None:
    asked = await ready(stage)
    world = stage.world
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset(), stage.authority(None))
    with pytest.raises(Forbidden, match="Only people of approvers"):
        await stage.decide(asked, world.ann)
    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, world.ann.id, frozenset({"approvers"}), stage.authority(None))
        await suspend(tx, world.ann.id, "Left.", stage.authority(None))
    with pytest.raises(Forbidden, match="Only people of approvers"):
        await stage.decide(asked, world.ann)

    assert await _state(stage, asked) is State.ASKED


async def test_an_old_login_decides_nothing(stage: Stage) -> None:
    asked = await ready(stage)

    with pytest.raises(FreshLoginNeeded):
        await stage.decide(asked, stage.world.ann, login=datetime.now(UTC) - timedelta(minutes=11))


async def test_of_two_promotions_at_the_same_time_one_is_put_in_force(stage: Stage) -> None:
    first = await ready(stage)
    second = await stage.ask()

    await stage.decide(first, stage.world.ann)
    with pytest.raises(Conflict, match="Another release has been put in use"):
        await stage.decide(second, stage.world.ann)
    with pytest.raises(Conflict, match="does not wait any more"):
        await stage.decide(first, stage.world.ann)


async def test_of_two_that_are_decided_on_at_the_same_moment_one_is_put_in_force(stage: Stage) -> None:
    both = [await ready(stage), await stage.ask()]

    ended = await asyncio.gather(*(stage.decide(one, stage.world.ann) for one in both), return_exceptions=True)

    refused = [one for one in ended if isinstance(one, Conflict)]
    assert len(refused) == 1, ended
    assert [await _state(stage, one) for one in both].count(State.IN_FORCE) == 1


async def test_a_badge_that_went_away_meanwhile_stops_it(stage: Stage) -> None:
    asked = await ready(stage)
    await stage.badge(DOCUMENTED, otherwise={"item_put": (BadgeVerdict.FAILED, Grade.LIVE)})

    with pytest.raises(Conflict, match=r"badge: Lines failed about item_put\."):
        await stage.decide(asked, stage.world.ann)


async def test_what_is_only_reported_of_a_run_elsewhere_opens_no_gate(stage: Stage) -> None:
    await stage.release(DOCUMENTED, is_staged=False)
    await stage.badge(DOCUMENTED, without=["note_post"])
    await stage.report(DOCUMENTED)

    asked = await stage.ask(Environment.STAGING)

    assert "Nothing of note_post has passed" in asked.findings[1].reason
    with pytest.raises(Conflict, match="badge"):
        await stage.decide(asked, stage.world.rita)


async def test_a_write_that_the_kit_has_not_tried_stops_it(stage: Stage) -> None:
    await stage.release(DOCUMENTED, is_staged=False)
    await stage.badge(DOCUMENTED, without=["note_post"])

    asked = await stage.ask(Environment.STAGING)

    assert "Nothing of note_post has passed" in asked.findings[1].reason
    with pytest.raises(Conflict, match="badge"):
        await stage.decide(asked, stage.world.rita)


@pytest.mark.parametrize(
    "came_out",
    [
        (BadgeVerdict.NOT_APPLICABLE, Grade.LIVE),
        (BadgeVerdict.NOT_PROVABLE, Grade.RECORDED),
        (BadgeVerdict.PASSED, Grade.RECORDED),
        (BadgeVerdict.PASSED, Grade.ELSEWHERE),
    ],
    ids=["not-applicable", "not-provable", "recorded", "elsewhere"],
)
async def test_a_write_of_which_nothing_has_passed_on_the_system_itself_stops_it(
    stage: Stage, came_out: tuple[BadgeVerdict, Grade]
) -> None:
    await stage.release(DOCUMENTED, is_staged=False)
    await stage.badge(DOCUMENTED, otherwise={"note_post": came_out})

    asked = await stage.ask(Environment.STAGING)

    with pytest.raises(Conflict, match="badge: Nothing of note_post has passed on the system itself"):
        await stage.decide(asked, stage.world.rita)


async def test_whoever_explained_what_differs_does_not_decide_and_is_named(stage: Stage) -> None:
    world = stage.world
    await stage.call("item_update", {"id": 1, "quantity": 5})
    await stage.release(LATER)
    await stage.badge(LATER)
    asked = await stage.ask()
    async with world.runtime.database.transaction() as tx:
        ann = await set_roles(tx, world.ann.id, frozenset({Role.ADMINISTRATOR}), stage.authority(None))
        explained = await promotions.explain(
            tx, asked.id, "Dozens.", world.runtime.promotions, stage.authority(world.ann)
        )

    (replayed,) = [one for one in explained.findings if one.gate is Gate.REPLAY]
    assert (replayed.stand, explained.explained_by) == (Stand.HOLDS, ann.id)
    assert f"{ann.display_name} has explained it." in replayed.reason
    with pytest.raises(Forbidden, match="explained it"):
        await stage.decide(explained, ann)
    async with world.runtime.database.transaction() as tx:
        assert not await promotions.may_decide(tx, explained, world.runtime.promotions, ann.id)
        carl = await set_groups(tx, world.carl.id, frozenset({"approvers"}), stage.authority(None))
    assert (await stage.decide(explained, carl)).state is State.IN_FORCE


async def test_a_version_that_was_withdrawn_meanwhile_stops_it(stage: Stage) -> None:
    asked = await ready(stage)
    async with stage.world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_put")
        assert tool is not None
        newest, *_ = await versions(tx, tool.id)
        await withdraw_version(tx, newest.id, "It books twice.", stage.authority(None))

    with pytest.raises(Conflict, match=r"path: 1 of its tool versions were withdrawn\."):
        await stage.decide(asked, stage.world.ann)


async def test_what_is_in_use_nowhere_before_is_not_promoted(stage: Stage) -> None:
    await stage.release(DOCUMENTED, is_staged=False)
    with pytest.raises(Conflict, match="is in use in prod already"):
        await stage.ask()  # staging has what prod has
    async with stage.world.runtime.database.reading() as tx:
        newest = (await newest_release(tx, "upstream")).id
    wish = promotions.Wish(connector="upstream", environment=Environment.PROD, reason="In a hurry.", release_id=newest)
    async with stage.world.runtime.database.transaction() as tx:
        asked = await promotions.ask(tx, wish, stage.world.runtime.promotions, stage.authority(stage.world.rita))

    assert (asked.findings[0].stand, asked.findings[0].reason) == (Stand.FAILS, "It is not in use in staging.")


async def test_dev_and_strangers_and_silence_are_refused(stage: Stage) -> None:
    await stage.release(DOCUMENTED)

    with pytest.raises(InputError, match="dev uses every release"):
        await stage.ask(Environment.DEV)
    with pytest.raises(Forbidden):
        await stage.ask(by=stage.world.carl)
    with pytest.raises(NotFound):
        async with stage.world.runtime.database.reading() as tx:
            await promotions.get_promotion(tx, "pro_06dvh3x5m8qk2v7c1n4pz9tbwr")


async def test_who_decides_on_less_than_there_is_to_see_is_told_so(stage: Stage) -> None:
    asked = await ready(stage)
    world = stage.world
    async with world.runtime.database.transaction() as tx:
        rules = world.runtime.promotions
        await promotions.explain(tx, asked.id, "They are the same.", rules, stage.authority(world.rita))

    with pytest.raises(ChangedSinceSeen):
        await stage.decide(asked, world.ann)


async def test_a_rejected_or_withdrawn_promotion_is_over(stage: Stage) -> None:
    first, world = await ready(stage), stage.world
    second = await stage.ask()

    async with world.runtime.database.transaction() as tx:
        refused = replace(_agreed(first), reason="Not before the holidays.")
        rules = world.runtime.promotions
        rejected = await promotions.reject(tx, first.id, refused, rules, stage.authority(world.ann))
        withdrawn = await promotions.withdraw(tx, second.id, "Later.", stage.authority(world.rita))

    assert (rejected.state, withdrawn.state) == (State.REJECTED, State.WITHDRAWN)
    for one in (first, second):
        with pytest.raises(Conflict, match="does not wait any more"):
            await stage.decide(one, world.ann)


async def test_who_may_not_decide_may_not_reject_either(stage: Stage) -> None:
    asked = await ready(stage)

    async with stage.world.runtime.database.transaction() as tx:
        with pytest.raises(Forbidden):
            await promotions.reject(
                tx, asked.id, _agreed(asked), stage.world.runtime.promotions, stage.authority(stage.world.carl)
            )


async def test_taken_back_the_former_release_is_in_use_and_another_promotion_is_needed(stage: Stage) -> None:
    asked, world = await ready(stage), stage.world
    await stage.decide(asked, world.ann)
    approved = await stage.call("item_update", {"id": 1, "quantity": 5})

    async with world.runtime.database.transaction() as tx:
        reverted = await promotions.revert(tx, asked.id, "It is slow.", stage.authority(world.rita))

    assert (reverted.state, reverted.ended_why) == (State.REVERTED, "It is slow.")
    async with world.runtime.database.transaction() as tx:
        with pytest.raises(Conflict, match="not in force, or not any more"):
            await promotions.revert(tx, asked.id, "Again.", stage.authority(world.rita))
    again = await stage.ask()
    assert (again.state, again.former_version, approved.environment) == (State.ASKED, "1.0.0", "prod")


async def test_a_stranger_takes_nothing_back(stage: Stage) -> None:
    asked = await ready(stage)
    await stage.decide(asked, stage.world.ann)

    async with stage.world.runtime.database.transaction() as tx:
        with pytest.raises(Forbidden):
            await promotions.revert(tx, asked.id, "I like the old one.", stage.authority(stage.world.carl))


def _agreed(promotion: Promotion) -> Decision:
    return Decision(digest=promotion.digest, reason="Looked at it.", authenticated_at=datetime.now(UTC))


async def _state(stage: Stage, promotion: Promotion) -> State:
    async with stage.world.runtime.database.reading() as tx:
        return (await promotions.get_promotion(tx, promotion.id)).state
