"""What is unusual: it is decided on as of a higher tier, or its agent is suspended; once, and with the numbers."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from continued import continue_due
from sqlalchemy import func, insert, select, update
from world import World

from connectors.sdk.vocabulary import Tier
from hub import audit
from hub.approvals import Choice
from hub.audit import EventKind
from hub.channels.audience import audience
from hub.channels.notices import Notice
from hub.identity import directory
from hub.identity.accounts import resume, suspend_once
from hub.identity.tables import PrincipalRow
from hub.invocations.alarming import AGENT_SUSPENDED
from hub.invocations.envelope import envelope
from hub.invocations.replay import Candidate, Change, what_if
from hub.invocations.states import State
from hub.invocations.tables import AmountRow, InvocationRow
from hub.invocations.values import Invocation
from hub.outbox.tables import MessageRow
from hub.policy import Bundle
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

BOTH_ENGINES = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both."""
    url: str = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_url")
    return url


OFTEN = """//= {"fact": "lately", "count": "sent", "per": ["agent"], "within": "PT1H"}
@id("often") @raise("high") @why("It has written within the hour.")
forbid (principal, action == Action::"alarm", resource)
when { context.history.hasTag("lately") && context.history.getTag("lately") >= 1 };
"""
STOP = """//= {"fact": "lately", "count": "sent", "per": ["agent"], "within": "PT1H"}
@id("stop") @suspend("agent") @why("It has written within the hour.")
forbid (principal, action == Action::"alarm", resource)
when { context.history.hasTag("lately") && context.history.getTag("lately") >= 1 };
"""
LARGEST = """//= {"fact": "most", "max": "quantity", "per": ["agent", "tool"], "within": "P90D"}
@id("jump") @raise("high") @why("Far more than ever before.")
forbid (principal, action == Action::"alarm", resource)
when { context.numbers.hasTag("quantity") && context.history.hasTag("most") &&
       context.history.getTag("most") > 0 && context.numbers.getTag("quantity") > context.history.getTag("most") * 10 };
"""
ODD = '@id("odd") @raise("critical") @why("Odd.") forbid (principal, action == Action::"alarm", resource);'


async def stock(world: World, quantity: int) -> Invocation:
    return await world.call("item_update", {"id": 1, "quantity": quantity})


async def events(world: World, kind: EventKind, subject: str) -> list[Mapping[str, Any]]:
    """Return what the events of one kind say of a subject: openly, and the numbers that they keep private."""
    async with world.runtime.database.reading() as tx:
        found = [one for one in await audit.events_of(tx, subject) if one.kind is kind]
        kept = await audit.texts_of(tx, subject, ["numbers"], world.runtime.keys)
    assert not any("numbers" in one.facts for one in found)
    return [{**one.facts, **kept.get(one.id, {})} for one in found]


async def is_suspended(world: World) -> bool:
    async with world.runtime.database.reading() as tx:
        return (await directory.get(tx, world.bot.id)).is_suspended


async def test_an_alarm_raises_the_tier_and_people_read_why(world: World) -> None:
    await world.decide_by(OFTEN)
    first = await stock(world, 12)

    second = await stock(world, 13)

    assert (first.state, first.tier, first.alarms) == (State.VERIFIED, Tier.MEDIUM, ())
    assert (second.state, second.tier) == (State.AWAITING_APPROVAL, Tier.HIGH)
    assert second.question is not None
    assert second.question.summary["tier"] == "high"
    assert [dict(one) for one in second.alarms] == [{"rule": "often", "why": "It has written within the hour."}]
    (told,) = await events(world, EventKind.INVOCATION_ALARMED, second.id)
    assert (told["raised_to"], told["numbers"]["lately"]) == ("high", 1)
    assert await events(world, EventKind.INVOCATION_ALARMED, first.id) == []
    await world.vote(second, world.ann)
    await continue_due(world.runtime)
    assert len(world.upstream.store.effects()) == 2


async def test_a_call_that_was_approved_as_usual_is_asked_again_once_it_is_unusual(world: World) -> None:
    await world.decide_by()
    asked = await world.call("note_post", {"text": "one"})
    await world.decide_by(ODD)

    await world.vote(asked, world.ann)
    for _ in range(3):
        await continue_due(world.runtime)
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(InvocationRow).values(not_before=None))

    async with world.runtime.database.reading() as tx:
        row = await tx.get_one(InvocationRow, asked.id)
    assert (row.state, row.tier, row.revision) == ("AWAITING_APPROVAL", "critical", 2)
    assert world.upstream.store.effects() == []


async def test_a_suspension_by_rule_is_one_with_its_numbers_and_the_owner_is_told(world: World) -> None:
    await world.decide_by(STOP)
    await stock(world, 12)

    refused = await stock(world, 13)

    told = envelope(refused, public_url="http://hub.test")
    assert (refused.state, told.is_error) == (State.DENIED, True)
    assert "It has written within the hour." in told.text
    assert await is_suspended(world)
    assert len(await events(world, EventKind.AGENT_SUSPENDED, world.bot.id)) == 1
    (why,) = await events(world, EventKind.INVOCATION_ALARMED, refused.id)
    assert (why["suspended_by"], why["numbers"]["lately"]) == (["stop"], 1)
    async with world.runtime.database.reading() as tx:
        reason = await tx.scalar(select(PrincipalRow.suspended_reason).where(PrincipalRow.id == world.bot.id))
        assert f"It has written within the hour. (invocation {refused.id}: lately 1" in (reason or "")
        (message,) = (await tx.scalars(select(MessageRow).where(MessageRow.topic == AGENT_SUSPENDED))).all()
        notice = Notice(id=message.id, event=AGENT_SUSPENDED, at=message.created_at, facts=message.payload)
        assert [one.name for one in await audience(tx, notice)] == ["rita"]
    assert notice.page == f"/people/{world.bot.id}"
    assert world.upstream.store.effects() != []


@BOTH_ENGINES
async def test_calls_that_set_it_off_at_once_suspend_once_and_tell_once(world: World, database_url: str) -> None:
    await world.decide_by(STOP)
    await stock(world, 12)

    calls = await asyncio.gather(*(stock(world, number) for number in range(20, 24)))

    assert {one.state for one in calls} == {State.DENIED}
    assert len(await events(world, EventKind.AGENT_SUSPENDED, world.bot.id)) == 1
    async with world.runtime.database.reading() as tx:
        told = select(func.count()).select_from(MessageRow).where(MessageRow.topic == AGENT_SUSPENDED)
        assert await tx.scalar(told) == 1
    elsewhere = Database(database_url)  # as another process would
    async with elsewhere.transaction() as tx:
        assert not await suspend_once(tx, world.bot.id, "again", world.runtime.authority)
    await elsewhere.close()


async def test_whoever_lets_it_go_on_lets_it_go_on(world: World) -> None:
    await world.decide_by(STOP)
    await stock(world, 12)
    await stock(world, 13)
    await world.decide_by()
    async with world.runtime.database.transaction() as tx:
        await resume(tx, world.bot.id, world.runtime.authority)

    assert (await stock(world, 14)).state is State.VERIFIED


async def test_what_if_tells_whom_a_changed_alarm_would_have_asked_or_stopped(world: World) -> None:
    await world.decide_by()
    async with world.runtime.database.reading() as tx:
        since = await now(tx)
    await stock(world, 12)
    await stock(world, 13)
    plain = (await _active(world)).text

    async def would(more: str) -> list[Change]:
        candidate = Candidate(environment="dev", bundle=Bundle.parse(f"{plain}\n{more}"))
        found = await what_if(candidate, world.runtime.database, world.runtime.keys, since)
        return [one.change for one in found.differences]

    assert await would("") == []
    assert Change.ASKED in await would(OFTEN)
    assert Change.REFUSED in await would(STOP)


async def _active(world: World) -> Bundle:
    return await world.runtime.bundles.active("dev")


async def test_five_rejections_in_a_row_suspend_an_agent_by_the_default_policy(world: World) -> None:
    for number in range(5):
        asked = await world.call("note_post", {"text": f"note {number}"})
        await world.vote(asked, world.ann, Choice.REJECT)
    assert not await is_suspended(world)

    refused = await stock(world, 12)

    assert (refused.state, await is_suspended(world)) == (State.DENIED, True)
    async with world.runtime.database.reading() as tx:
        kinds = [event.kind for event in await audit.events_of(tx, refused.id)]
    assert EventKind.INVOCATION_ALARMED in kinds


async def test_a_burst_of_sensitive_calls_raises_what_comes_next(world: World) -> None:
    await pretend(world, await world.call("note_post", {"text": "one"}), 19)

    raised = await world.call("note_post", {"text": "one more"})

    assert (raised.tier, [one["rule"] for one in raised.alarms]) == (Tier.CRITICAL, ["burst-of-sensitive-calls"])


async def test_a_busy_agent_is_asked_about_a_tool_it_has_not_used(world: World) -> None:
    first = await stock(world, 12)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).values(tool_id="tol_another"))
    await pretend(world, first, 20)

    raised = await stock(world, 13)

    assert (raised.tier, [one["rule"] for one in raised.alarms]) == (Tier.HIGH, ["tool-never-used-before"])


async def test_the_largest_amount_is_taken_of_what_was_sent_alone(world: World) -> None:
    await world.decide_by(LARGEST)
    await stock(world, 12)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(AmountRow).values(amount=5))

    usual, jump = await stock(world, 50), await stock(world, 501)

    assert (usual.alarms, [one["rule"] for one in jump.alarms]) == ((), ["jump"])
    assert jump.state is State.AWAITING_APPROVAL


async def pretend(world: World, like: Invocation, times: int) -> None:
    """Put calls on record as if the agent had made them a minute ago."""
    async with world.runtime.database.transaction() as tx:
        row = await tx.get_one(InvocationRow, like.id)
        columns = {column.key: getattr(row, column.key) for column in InvocationRow.__table__.columns}
        columns["created_at"] = columns["sent_at"] = await now(tx) - timedelta(minutes=1)
        rows = [{**columns, "id": f"inv_pretended{number:02}"} for number in range(times)]
        await tx.execute(insert(InvocationRow), rows)
