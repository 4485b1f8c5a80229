"""Limits and kill switches on calls: refused in words at the door, held back at the claim, and let go afterwards."""

import pytest
from continued import continue_due
from sqlalchemy import select, update
from telling import kept_privately, told_openly
from world import PASSWORD, World

from hub.audit.tables import EventRow
from hub.budgets import Measure, NewLimit, Per, StopKind, lift_limit, lift_stop, limits_now, set_limit, set_stop
from hub.budgets.tables import LimitRow, UsageRow
from hub.bundles import Publication, publish_bundle
from hub.core.errors import Forbidden
from hub.identity.accounts import NewUser, create_user
from hub.identity.authority import Authority
from hub.identity.principals import Role
from hub.invocations.commit import claim
from hub.invocations.conclude import stale
from hub.invocations.envelope import envelope
from hub.invocations.journal import move
from hub.invocations.permit import Permit, TooLate
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation

pytestmark = pytest.mark.anyio

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


async def limit(world: World, measure: Measure, amount: int, per: Per = Per.AGENT) -> None:
    async with world.runtime.database.transaction() as tx:
        new = NewLimit(per=per, measure=measure, amount=amount, seconds=24 * 3600)
        await set_limit(tx, new, world.runtime.authority)


async def lift_all(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(LimitRow).values(amount=1000))
        await tx.execute(update(InvocationRow).values(not_before=None))


async def stop(world: World, kind: StopKind, subject: str) -> None:
    async with world.runtime.database.transaction() as tx:
        await set_stop(tx, kind, subject, "We look into it.", world.runtime.authority)


async def go(world: World, kind: StopKind, subject: str) -> None:
    async with world.runtime.database.transaction() as tx:
        await lift_stop(tx, kind, subject, world.runtime.authority)
        await tx.execute(update(InvocationRow).values(not_before=None))


async def approved(world: World, text: str) -> Invocation:
    posted = await world.call("note_post", {"text": text})
    return await world.vote(posted, world.ann)


async def standing(world: World, invocation: Invocation) -> InvocationRow:
    async with world.runtime.database.reading() as tx:
        return await tx.get_one(InvocationRow, invocation.id)


async def events(world: World, kind: str) -> int:
    async with world.runtime.database.reading() as tx:
        return len((await tx.scalars(select(EventRow.id).where(EventRow.kind == kind))).all())


async def test_too_many_calls_are_refused_with_what_and_until_when(world: World) -> None:
    await limit(world, Measure.CALLS, 2)

    states = [(await world.call("item_get", {"id": 1})).state for _ in range(2)]
    refused = await world.call("item_get", {"id": 1})
    told = envelope(refused, public_url="http://hub.test")

    assert states == [State.SUCCEEDED, State.SUCCEEDED]
    assert (refused.state, refused.error_code) == (State.DENIED, "over_budget")
    assert "2 calls in a day for one agent. It frees at" in told.text
    assert told.structured["retryable"] is True
    assert (await world.call("item_get", {"id": 1}, run="r1")).state is State.DENIED


async def test_a_run_that_loops_is_stopped_and_another_goes_on(world: World) -> None:
    await limit(world, Measure.CALLS, 1, per=Per.RUN)

    states = [(await world.call("item_get", {"id": 1}, run=run)).state for run in ("a", "a", "b")]

    assert states == [State.SUCCEEDED, State.DENIED, State.SUCCEEDED]


@BOTH_ENGINES
async def test_what_was_approved_waits_at_the_claim_until_the_limit_frees(world: World) -> None:
    await limit(world, Measure.WRITES, 1)
    first, second = await approved(world, "one"), await approved(world, "two")

    await continue_due(world.runtime)
    rows = [await standing(world, one) for one in (first, second)]
    held = next(row for row in rows if row.state == State.APPROVED.value)

    assert sorted(row.state for row in rows) == ["APPROVED", "UNVERIFIABLE"]
    assert len(world.upstream.store.effects()) == 1
    assert (held.error_code, await events(world, "commit.braked")) == ("over_budget", 1)
    assert await told_openly(world, "is reached") == []
    assert "commit.braked" in await kept_privately(world, "is reached")
    assert held.not_before is not None
    assert (await world.call("note_post", {"text": "three"})).error_code == "over_budget"
    await lift_all(world)
    await continue_due(world.runtime)
    assert {(await standing(world, one)).state for one in (first, second)} == {"UNVERIFIABLE"}


async def test_a_write_that_fails_gives_back_what_it_took(world: World) -> None:
    await limit(world, Measure.WRITES, 1)
    waiting = await approved(world, "one")
    claimed = await claim(waiting.id, world.runtime)
    assert claimed is not None
    async with world.runtime.database.reading() as tx:
        assert list(await tx.scalars(select(UsageRow.used))) == [1]
    async with world.runtime.database.transaction() as tx:
        await move(tx, world.runtime, claimed, stale(("it has changed",), {}))

    async with world.runtime.database.reading() as tx:
        assert list(await tx.scalars(select(UsageRow.used))) == [0]


@pytest.mark.parametrize("kind", list(StopKind))
async def test_a_switch_stops_new_calls_and_claims_at_once(world: World, kind: StopKind) -> None:
    waiting = await approved(world, "one")
    row = await standing(world, waiting)
    subject = {"hub": "", "agent": world.bot.id, "tool": row.tool_id, "connection": world.connection_id}[kind.value]

    await stop(world, kind, subject)
    await continue_due(world.runtime)
    refused = await world.call("note_post", {"text": "two"})

    assert (await standing(world, waiting)).state == State.APPROVED.value
    assert await claim(waiting.id, world.runtime) is None
    assert world.upstream.store.effects() == []
    assert (refused.state, refused.error_code) == (State.DENIED, "stopped")
    assert "is stopped: We look into it." in (refused.error_message or "")
    assert await events(world, "commit.braked") == 1
    await go(world, kind, subject)
    await continue_due(world.runtime)
    assert (await standing(world, waiting)).state == State.UNVERIFIABLE.value


async def test_a_switch_for_others_stops_nobody_else(world: World) -> None:
    await stop(world, StopKind.AGENT, world.ann.id)

    assert (await world.call("item_get", {"id": 1})).state is State.SUCCEEDED


async def test_a_policy_that_knows_no_switches_does_not_let_them_pass(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        anything = Publication(environment="dev", text='@id("all") permit (principal, action, resource);', by=None)
        await publish_bundle(tx, world.runtime.database, world.runtime.keys, anything)
    await stop(world, StopKind.HUB, "")

    assert (await world.call("item_get", {"id": 1})).error_code == "stopped"


async def test_what_was_claimed_and_not_sent_is_stopped_before_the_first_byte(world: World) -> None:
    waiting = await approved(world, "one")
    claimed = await claim(waiting.id, world.runtime)
    assert claimed is not None
    await stop(world, StopKind.HUB, "")

    with pytest.raises(TooLate, match="is stopped"):
        await Permit(claimed, world.runtime, seconds=5).ask()

    assert (await standing(world, waiting)).sends == 0


async def test_only_those_who_may_stop_things_and_owners_of_what_is_limited(world: World) -> None:
    database, keys = world.runtime.database, world.runtime.keys
    ann = Authority(database=database, keys=keys, by=world.ann.id)
    rita = Authority(database=database, keys=keys, by=world.rita.id)  # who owns the agent
    everyone = NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=1, seconds=60)
    own = NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=1000, seconds=60, subject=world.bot.id)

    for by in (ann, rita):
        with pytest.raises(Forbidden):
            async with database.transaction() as tx:
                await set_stop(tx, StopKind.HUB, "", "no", by)
        with pytest.raises(Forbidden):
            async with database.transaction() as tx:
                await set_limit(tx, everyone, by)
    with pytest.raises(Forbidden):
        async with database.transaction() as tx:
            await set_limit(tx, own, ann)
    async with database.transaction() as tx:
        await set_limit(tx, own, rita)


async def test_an_owner_lifts_what_it_has_set_and_nothing_that_an_administrator_has(world: World) -> None:
    database, keys = world.runtime.database, world.runtime.keys
    rita = Authority(database=database, keys=keys, by=world.rita.id)  # who owns the agent
    new = NewLimit(per=Per.AGENT, measure=Measure.CALLS, amount=1000, seconds=60, subject=world.bot.id)
    async with database.transaction() as tx:
        adam = await create_user(
            tx,
            NewUser(name="adam", display_name="Adam", password=PASSWORD, roles=frozenset({Role.ADMINISTRATOR})),
            world.runtime.authority,
        )
    admins = Authority(database=database, keys=keys, by=adam.id)
    async with database.transaction() as tx:
        own, of_admin = await set_limit(tx, new, rita), await set_limit(tx, new, admins)
        of_console = await set_limit(tx, new, world.runtime.authority)

    for one in (of_admin, of_console):
        with pytest.raises(Forbidden, match="ask an administrator"):
            async with database.transaction() as tx:
                await lift_limit(tx, one.id, rita)
    async with database.transaction() as tx:
        await lift_limit(tx, own.id, rita)
        await lift_limit(tx, of_admin.id, admins)
        await lift_limit(tx, of_console.id, admins)
        assert await limits_now(tx) == ()
