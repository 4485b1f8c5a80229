"""What is unusual about a step of a proposed plan: its alarms do to the plan and its agent what those of a call do."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select
from upstream.composites import COUNT, PUT, RENAME, changed
from world import World

from connectors.sdk.vocabulary import Tier
from hub import audit
from hub.audit import EventKind
from hub.identity import directory
from hub.invocations.alarming import AGENT_SUSPENDED
from hub.invocations.states import State
from hub.outbox.tables import MessageRow
from plans.errand import offer, proposed

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

UPDATES = 'forbid (principal, action == Action::"alarm", resource in ToolClass::"upstream.item_update");'
STOP = f'@id("stop") @suspend("agent") @why("Updates are unusual.") {UPDATES}'
ODD = f'@id("odd") @raise("critical") @why("Updates are odd.") {UPDATES}'
NEXT = '@id("next") @raise("next") @why("Odd.") forbid (principal, action == Action::"alarm", resource);'


async def events(world: World, kind: EventKind, subject: str) -> list[Mapping[str, Any]]:
    async with world.runtime.database.reading() as tx:
        return [one.facts for one in await audit.events_of(tx, subject) if one.kind is kind]


async def test_an_alarm_about_steps_of_a_plan_suspends_its_agent_once_and_tells_once(world: World) -> None:
    await world.decide_by(STOP)
    await offer(world, [PUT, RENAME, COUNT])

    refused = await proposed(world)

    assert refused.state is State.DENIED
    assert "Updates are unusual." in (refused.error_message or "")
    (why,) = await events(world, EventKind.INVOCATION_ALARMED, refused.id)
    assert (why["suspended_by"], why["alarms"]) == (["stop"], [{"rule": "stop", "why": "Updates are unusual."}])
    assert len(await events(world, EventKind.AGENT_SUSPENDED, world.bot.id)) == 1
    async with world.runtime.database.reading() as tx:
        assert (await directory.get(tx, world.bot.id)).is_suspended
        (message,) = (await tx.scalars(select(MessageRow).where(MessageRow.topic == AGENT_SUSPENDED))).all()
    assert (message.payload["rules"], message.payload["owners"]) == (["stop"], [world.rita.id])


async def test_an_alarm_about_a_step_raises_the_tier_of_its_plan_and_people_read_why(world: World) -> None:
    await world.decide_by(ODD)
    await offer(world, [PUT, RENAME, COUNT])

    asked = await proposed(world)

    assert (asked.state, asked.tier) == (State.AWAITING_APPROVAL, Tier.CRITICAL)
    assert asked.question is not None
    assert asked.question.summary["tier"] == "critical"
    assert [dict(one) for one in asked.alarms] == [{"rule": "odd", "why": "Updates are odd."}]
    (told,) = await events(world, EventKind.INVOCATION_ALARMED, asked.id)
    assert (told["raised_to"], told["suspended_by"]) == ("critical", [])


async def test_an_alarm_about_a_plan_and_its_steps_is_heeded_once(world: World) -> None:
    await world.decide_by(NEXT.replace('@raise("next")', '@raise("critical")'))
    await offer(world, [PUT, RENAME])

    asked = await proposed(world)

    assert (asked.tier, len(asked.alarms)) == (Tier.CRITICAL, 1)
    assert len(await events(world, EventKind.INVOCATION_ALARMED, asked.id)) == 1


async def test_a_step_of_a_higher_tier_raises_that_of_its_plan_further(world: World) -> None:
    await world.decide_by(NEXT)
    await offer(world, [changed(PUT, quantity=600_000), RENAME])

    asked = await proposed(world)

    assert (asked.tier, len(asked.alarms)) == (Tier.CRITICAL, 1)
    told = await events(world, EventKind.INVOCATION_ALARMED, asked.id)
    assert [one["raised_to"] for one in told] == ["high", "critical"]
