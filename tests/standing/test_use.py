"""Standing grants on real calls: what they approve, what they never do, and what ends them before the first byte."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from doomed import Doomed
from doors.mailing import asked_to_send, connect_mailing
from sqlalchemy import select, update
from upstream.connector import connector
from upstream.faults import Fault
from world import World

from hub.audit import EventKind, events_of
from hub.identity.accounts import set_groups, suspend
from hub.invocations.commit import claim, send
from hub.invocations.granting import give, take_back
from hub.invocations.queries import cancel, current
from hub.invocations.recheck import Holds, recheck
from hub.invocations.resume import resume
from hub.invocations.states import DONE, State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import ApprovedBy
from hub.registry import register_connector
from hub.standing.tables import SpendingRow, StandingGrantRow
from hub.storage import Tx, now
from standing.desk import (
    approved_only,
    granted,
    item,
    policy_asks_for_two,
    policy_takes_the_givers_vote,
    publish,
    rules,
    tier_is_raised,
    uses_left,
    wanted,
)

pytestmark = pytest.mark.anyio

Change = Callable[[World, Tx], Awaitable[object]]
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_a_call_like_the_one_it_was_made_from_is_carried_out_without_a_question(world: World) -> None:
    grant = await granted(world)

    done = await world.call("item_put", item(41))

    assert done.state in DONE
    assert done.approved_by is ApprovedBy.GRANT
    assert len(world.upstream.store.effects(41)) == 1
    assert await uses_left(world, grant) == 1
    async with world.runtime.database.reading() as tx:
        (approval,) = [one for one in await events_of(tx, done.id) if one.kind is EventKind.INVOCATION_APPROVED]
        spending = await tx.scalar(select(SpendingRow))
        kinds = [one.kind for one in await events_of(tx, grant.id)]
    assert (approval.facts["grant"], approval.facts["giver"]) == (grant.id, world.ann.id)
    assert spending is not None
    assert spending.approval_digest == approval.facts["approval_digest"] == done.approval_digest
    assert kinds == [EventKind.STANDING_GRANTED, EventKind.STANDING_SPENT]


async def test_what_a_grant_does_not_cover_is_asked_about(world: World) -> None:
    grant = await granted(world)

    beyond = await world.call("item_put", item(42, quantity=700_001))
    other_tool = await world.call("item_delete", {"id": 1})

    assert beyond.state is other_tool.state is State.AWAITING_APPROVAL
    assert await uses_left(world, grant) == 2


async def test_when_it_is_used_up_people_are_asked_again(world: World) -> None:
    await granted(world, uses=1)

    first, second = await world.call("item_put", item(41)), await world.call("item_put", item(42))

    assert first.state in DONE
    assert second.state is State.AWAITING_APPROVAL


async def test_processes_that_spend_at_once_get_as_many_uses_as_there_are(world: World, doomed: Doomed) -> None:
    grant = await granted(world, uses=2)
    database = world.runtime.database
    started = [
        doomed.start(database, "never", 0, "call", "item_put", json.dumps(item(number))) for number in (51, 52, 53, 54)
    ]

    assert [doomed.end_of(process) for process in started] == [0, 0, 0, 0]
    assert sum(len(world.upstream.store.effects(number)) for number in (51, 52, 53, 54)) == 2
    assert await uses_left(world, grant) == 0


@ONE_ENGINE
async def test_what_people_were_asked_about_is_asked_of_them_again_and_not_let_go_by_a_grant(world: World) -> None:
    waiting = await world.call("item_put", item(1))
    grant = await give(wanted(world, waiting), world.runtime)
    await world.vote(waiting, world.ann)
    world.edit_by_hand(1, quantity=11)

    stale = await resume(waiting.id, world.runtime)
    again = await resume(waiting.id, world.runtime)

    assert stale.state is State.STALE
    assert again.state is State.AWAITING_APPROVAL
    assert await uses_left(world, grant) == 2


@ONE_ENGINE
async def test_a_use_comes_back_when_nothing_was_sent(world: World) -> None:
    grant = await granted(world, uses=1)

    approved = await approved_only(world, 41)
    assert await uses_left(world, grant) == 0
    await cancel(world.runtime, world.caller, approved.id, reason="not needed")

    assert await uses_left(world, grant) == 1
    async with world.runtime.database.reading() as tx:
        assert [one.kind for one in await events_of(tx, grant.id)][-1] is EventKind.STANDING_RETURNED


@ONE_ENGINE
async def test_a_use_comes_back_when_its_time_is_up_before_it_is_carried_out(world: World) -> None:
    grant = await granted(world, uses=1)
    approved = await approved_only(world, 41)
    async with world.runtime.database.transaction() as tx:
        past = await now(tx) - timedelta(milliseconds=1)
        await tx.execute(update(InvocationRow).where(InvocationRow.id == approved.id).values(deadline=past))

    assert (await current(world.runtime, approved.id)).state is State.EXPIRED
    assert await uses_left(world, grant) == 1


@ONE_ENGINE
@pytest.mark.parametrize(("number", "state"), [(41, State.FAILED), (1, State.STALE)])
async def test_a_use_is_gone_once_something_was_sent_even_if_it_was_refused(
    world: World, number: int, state: State
) -> None:
    grant = await granted(world, uses=1)
    approved = await approved_only(world, number)  # there is an item 1 already
    if state is State.FAILED:
        world.upstream.store.plan_fault(Fault.THROTTLED, method="PUT")

    ended = await resume(approved.id, world.runtime)

    assert ended.state is state
    assert len(world.upstream.store.requests("PUT")) == 1
    assert await uses_left(world, grant) == 0


async def tool_changes(world: World, tx: Tx) -> None:
    spec = connector.spec
    changed = [
        one.model_copy(update={"description": "Add an item for good."}) if one.name == "item_put" else one
        for one in spec.operations
    ]
    release = spec.model_copy(update={"version": "1.0.1", "operations": tuple(changed)})
    await register_connector(tx, release, world.runtime.authority)


async def policy_asks_others(world: World, tx: Tx) -> None:
    await publish(world, tx, rules().replace('@require("approvers:1")', '@require("controllers:1")'))


async def policy_forbids_commits(world: World, tx: Tx) -> None:
    rule = '@id("stop") @why("Nothing is committed today.") forbid (principal, action == Action::"commit", resource);'
    await publish(world, tx, f"{rules()}\n{rule}")


async def connection_is_signed_in_anew(world: World, tx: Tx) -> None:
    secret = {"token": world.upstream.token}
    await world.runtime.vault.put(tx, world.connection_id, secret, world.runtime.authority)


async def giver_leaves_the_group(world: World, tx: Tx) -> None:
    await set_groups(tx, world.ann.id, frozenset(), world.runtime.authority)


async def giver_is_suspended(world: World, tx: Tx) -> None:
    await suspend(tx, world.ann.id, "left", world.runtime.authority)


async def grant_expires(_world: World, tx: Tx) -> None:
    await tx.execute(update(StandingGrantRow).values(expires_at=await now(tx) - timedelta(milliseconds=1)))


async def limits_are_narrowed_in_the_database(_world: World, tx: Tx) -> None:
    await tx.execute(update(StandingGrantRow).values(limits={"quantity": {"at_most": 1}}))


async def terms_are_changed_in_the_database(_world: World, tx: Tx) -> None:
    row = (await tx.scalars(select(SpendingRow))).one()
    row.terms = {**row.terms, "nonce": "another"}


async def summary_is_changed_in_the_database(_world: World, tx: Tx) -> None:
    row = (await tx.scalars(select(SpendingRow))).one()
    row.summary = {**row.summary, "title": "Something harmless"}


async def the_use_is_given_back_in_the_database(_world: World, tx: Tx) -> None:
    await tx.execute(update(SpendingRow).values(returned_at=await now(tx)))


async def approval_is_exchanged_in_the_database(_world: World, tx: Tx) -> None:
    await tx.execute(update(InvocationRow).where(InvocationRow.state == "APPROVED").values(approval_digest="0" * 64))


async def time_is_extended_in_the_database(_world: World, tx: Tx) -> None:
    later = await now(tx) + timedelta(days=9)
    await tx.execute(update(InvocationRow).where(InvocationRow.state == "APPROVED").values(deadline=later))


async def a_rule_finds_it_unusual(world: World, tx: Tx) -> None:
    odd = '@id("odd") @raise("medium") @why("Odd.") forbid (principal, action == Action::"alarm", resource);'
    await publish(world, tx, f"{rules()}\n{odd}")


@ONE_ENGINE
async def test_what_a_rule_finds_unusual_is_asked_about_though_a_grant_would_cover_it(world: World) -> None:
    await granted(world)
    async with world.runtime.database.transaction() as tx:
        await a_rule_finds_it_unusual(world, tx)

    asked = await world.call("item_put", item(41))

    assert (asked.state, asked.approved_by) == (State.AWAITING_APPROVAL, None)
    assert [one["rule"] for one in asked.alarms] == ["odd"]


@ONE_ENGINE
@pytest.mark.parametrize(
    "change",
    [
        tool_changes,
        tier_is_raised,
        connection_is_signed_in_anew,
        policy_asks_for_two,
        policy_asks_others,
        policy_forbids_commits,
        a_rule_finds_it_unusual,
        policy_takes_the_givers_vote,
        giver_leaves_the_group,
        giver_is_suspended,
        grant_expires,
        limits_are_narrowed_in_the_database,
        terms_are_changed_in_the_database,
        summary_is_changed_in_the_database,
        the_use_is_given_back_in_the_database,
        approval_is_exchanged_in_the_database,
        time_is_extended_in_the_database,
    ],
)
async def test_what_a_grant_approved_is_void_when(world: World, change: Change) -> None:
    await granted(world)
    approved = await approved_only(world, 41)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)

    after = await resume(approved.id, world.runtime)

    assert after.state is State.STALE
    assert after.error_message
    assert world.upstream.store.effects(41) == []


async def test_what_was_approved_is_not_sent_once_the_grant_is_revoked(world: World) -> None:
    grant = await granted(world, uses=1)
    approved = await approved_only(world, 41)

    await take_back(grant.id, by=world.ann, reason="Too many.", runtime=world.runtime)
    after = await resume(approved.id, world.runtime)

    assert after.state is State.STALE
    assert "standing grant was revoked" in (after.error_message or "")
    assert await uses_left(world, grant) == 1
    assert (await world.call("item_put", item(42))).state is State.AWAITING_APPROVAL


async def grant_is_revoked(world: World, tx: Tx) -> None:
    await tx.execute(update(StandingGrantRow).values(revoked_at=await now(tx), revoked_by=world.ann.id))


@pytest.mark.parametrize("change", [grant_is_revoked, giver_is_suspended, giver_leaves_the_group])
async def test_a_revocation_after_the_last_check_still_comes_before_the_first_byte(
    world: World, change: Change
) -> None:
    await granted(world)
    approved = await approved_only(world, 41)
    claimed = await claim(approved.id, world.runtime)
    assert claimed is not None
    held = await recheck(claimed, world.runtime)
    assert isinstance(held, Holds)
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)

    after = await send(claimed, held.tool, world.runtime)

    assert after.state is State.APPROVED  # nothing was sent; the next look finds it void
    assert (await resume(approved.id, world.runtime)).state is State.STALE
    assert world.upstream.store.requests("PUT") == []


async def test_a_call_that_reaches_somebody_else_beside_its_changes_is_asked_about(world: World) -> None:
    await connect_mailing(world)
    like = await asked_to_send(world, "hello", "ada@example.org")
    await give(wanted(world, like, limits={}), world.runtime)

    assert (await asked_to_send(world, "again", "bob@example.org")).state is State.AWAITING_APPROVAL
    assert (await asked_to_send(world, "again", "ada@example.org")).state in DONE
    other = await asked_to_send(world, "more", "bob@example.org")
    await give(wanted(world, other, limits={}, to_anybody=True), world.runtime)
    assert (await asked_to_send(world, "more", "cleo@example.org")).state in DONE
