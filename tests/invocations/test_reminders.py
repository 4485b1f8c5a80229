"""Reminders and escalation: at half and at three quarters of the time, once each, and nobody votes because of them."""

import asyncio
from typing import Any

import pytest
from questions import add_groups, add_person, ask_by, wish
from sqlalchemy import select, update
from world import World

from hub.approvals.tables import QuestionRow
from hub.audit import EventKind, events_of
from hub.channels.audience import audience
from hub.channels.notices import Notice
from hub.core.errors import Forbidden, NotFound
from hub.identity.accounts import set_groups, suspend
from hub.identity.principals import Caller, Principal
from hub.invocations.queries import look_at
from hub.invocations.reminders import APPROVAL_ESCALATED, APPROVAL_REMINDED, chase_due
from hub.invocations.values import Invocation
from hub.outbox.tables import MessageRow
from hub.registry import find_tool, set_tool_owner

pytestmark = pytest.mark.anyio


async def pass_by(world: World, asked: Invocation, *, share: float) -> None:
    """Let so much of the time that is allowed be over, by moving every stored moment into the past."""
    async with world.runtime.database.transaction() as tx:
        row = (await tx.scalars(select(QuestionRow).where(QuestionRow.invocation_id == asked.id))).one()
        over = (row.expires_at - row.opened_at) * share
        moved = {name: getattr(row, name) - over for name in ("opened_at", "remind_at", "escalate_at", "expires_at")}
        await tx.execute(update(QuestionRow).where(QuestionRow.digest == row.digest).values(moved))


async def messages(world: World) -> list[tuple[str, Any]]:
    async with world.runtime.database.reading() as tx:
        query = select(MessageRow).where(MessageRow.topic.in_([APPROVAL_REMINDED, APPROVAL_ESCALATED]))
        return [(one.topic, one.payload) for one in await tx.scalars(query.order_by(MessageRow.id))]


async def looks(world: World, person: Principal, asked: Invocation) -> Invocation:
    return await look_at(world.runtime, Caller(actor=person), asked.id)


async def test_people_are_reminded_at_half_of_the_time_and_once(world: World) -> None:
    asked = await wish(world)
    await pass_by(world, asked, share=0.49)
    assert await chase_due(world.runtime) == 0
    await pass_by(world, asked, share=0.02)

    assert [await chase_due(world.runtime) for _ in range(2)] == [1, 0]

    ((topic, payload),) = await messages(world)
    assert (topic, payload["groups"]) == (APPROVAL_REMINDED, ["approvers"])


async def test_those_above_are_told_at_three_quarters_and_may_look_but_not_vote(world: World) -> None:
    await add_groups(world, "heads")
    await ask_by(world, '@require("approvers:1") @escalate("heads")')
    hedy = await add_person(world, "hedy", "heads")
    asked = await wish(world)
    with pytest.raises(NotFound):
        await looks(world, hedy, asked)
    await pass_by(world, asked, share=0.76)

    assert await chase_due(world.runtime) == 2

    reminder, escalation = await messages(world)
    assert reminder[0] == APPROVAL_REMINDED
    assert (escalation[0], escalation[1]["groups"], escalation[1]["asked"]) == (
        APPROVAL_ESCALATED,
        ["heads"],
        ["approvers"],
    )
    assert (await looks(world, hedy, asked)).id == asked.id
    with pytest.raises(Forbidden):
        await world.vote(asked, hedy)
    async with world.runtime.database.reading() as tx:
        kinds = [one.kind for one in await events_of(tx, asked.id)]
    assert [kinds.count(kind) for kind in (EventKind.APPROVAL_REMINDED, EventKind.APPROVAL_ESCALATED)] == [1, 1]


async def test_where_policy_names_nobody_the_owner_of_the_tool_is_told(world: World) -> None:
    olga = await add_person(world, "olga")
    async with world.runtime.database.transaction() as tx:
        tool = await find_tool(tx, "upstream", "item_delete")
        assert tool is not None
        await set_tool_owner(tx, tool.id, olga.id, world.runtime.authority)
    asked = await wish(world)
    await pass_by(world, asked, share=0.8)

    await chase_due(world.runtime)

    (_, (topic, payload)) = await messages(world)
    assert (topic, payload["groups"], payload["people"]) == (APPROVAL_ESCALATED, [], [olga.id])
    assert (await looks(world, olga, asked)).id == asked.id


async def test_what_was_escalated_is_told_to_those_alone_who_may_look_at_it(world: World) -> None:
    """Between the escalation and its delivery somebody may have left the group, or have been suspended."""
    await add_groups(world, "heads")
    await ask_by(world, '@require("approvers:1") @escalate("heads")')
    hedy, hugo, ida = [await add_person(world, name, "heads") for name in ("hedy", "hugo", "ida")]
    asked = await wish(world)
    await pass_by(world, asked, share=0.76)
    await chase_due(world.runtime)
    _, (topic, payload) = await messages(world)
    notice = Notice(id="msg_1", event=topic, at=asked.created_at, facts={**payload, "people": [world.carl.id]})

    async with world.runtime.database.transaction() as tx:
        await set_groups(tx, hugo.id, frozenset(), world.runtime.authority)
        await suspend(tx, ida.id, "left", world.runtime.authority)
        told = await audience(tx, notice)

    assert [one.id for one in told] == [hedy.id], "carl is named by the message, and may not look"


async def test_the_people_of_the_stage_that_is_asked_are_reminded(world: World) -> None:
    await add_groups(world, "legal")
    await ask_by(world, '@require("approvers:1, then legal:1")')
    asked = await world.vote(await wish(world), world.ann)
    await pass_by(world, asked, share=0.6)

    await chase_due(world.runtime)

    ((_, payload),) = await messages(world)
    assert (payload["groups"], payload["stage"]) == (["legal"], 2)


async def test_nobody_is_reminded_of_what_was_decided_or_has_expired(world: World) -> None:
    decided, expired = await wish(world), await world.call("ticket_create", {"title": "x"})
    await world.vote(decided, world.ann)
    await pass_by(world, decided, share=0.6)
    await pass_by(world, expired, share=1.1)

    assert await chase_due(world.runtime) == 0
    assert await messages(world) == []


async def test_two_workers_remind_once(world: World) -> None:
    asked = await wish(world)
    await pass_by(world, asked, share=0.6)

    made = await asyncio.gather(*(chase_due(world.runtime) for _ in range(3)))

    assert sum(made) == 1
    assert len(await messages(world)) == 1
