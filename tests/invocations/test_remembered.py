"""Remembered rejections: the same call is answered at once, until the window is over or something has changed."""

from datetime import timedelta

import pytest
from questions import ask_by, wish
from sqlalchemy import update
from upstream.connector import connector
from world import World

from hub import approvals
from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.budgets import StopKind, lift_stop, set_stop
from hub.invocations.envelope import envelope
from hub.invocations.states import REJECTION_REMEMBERED, State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import register_connector
from hub.storage import now

pytestmark = pytest.mark.anyio


async def rejected(world: World) -> Invocation:
    return await world.vote(await wish(world), world.ann, Choice.REJECT)


async def test_the_same_call_is_answered_with_the_rejection_and_its_reason(world: World) -> None:
    first = await rejected(world)

    for again in (
        await wish(world),
        await world.call("item_delete", {"id": 1}, run="another run"),
        await world.call("item_delete", {"id": 1.0}, key="a fresh key"),
    ):
        assert (again.id, again.state, again.repeats) == (first.id, State.REJECTED, True)
    told = envelope(again, public_url="http://hub")
    assert told.is_error
    assert "rejected this same call before, and nobody is asked again before" in told.text
    assert "Reason: too much" in told.text
    async with world.runtime.database.reading() as tx:
        assert await approvals.waiting_for(tx, world.ann) == []
        kinds = [one.kind for one in await events_of(tx, first.id)]
    assert kinds.count(EventKind.INVOCATION_REFUSED) == 3


async def test_another_call_is_asked_about(world: World) -> None:
    first = await rejected(world)

    other = await world.call("ticket_create", {"title": "x"})

    assert (other.state, other.id == first.id) == (State.AWAITING_APPROVAL, False)


async def test_it_is_remembered_though_the_call_was_refused_at_the_door_since(world: World) -> None:
    first = await rejected(world)
    async with world.runtime.database.transaction() as tx:
        await set_stop(tx, StopKind.AGENT, world.bot.id, "A closer look.", world.runtime.authority)
    refused = await wish(world)
    async with world.runtime.database.transaction() as tx:
        await lift_stop(tx, StopKind.AGENT, world.bot.id, world.runtime.authority)

    again = await wish(world)

    assert (refused.state, refused.id == first.id) == (State.DENIED, False)
    assert (again.id, again.state, again.repeats) == (first.id, State.REJECTED, True)


async def test_it_is_forgotten_when_the_window_is_over(world: World) -> None:
    first = await rejected(world)
    for over, is_remembered in ((timedelta(minutes=-5), True), (timedelta(seconds=1), False)):
        async with world.runtime.database.transaction() as tx:
            moved = await now(tx) - REJECTION_REMEMBERED - over
            await tx.execute(update(InvocationRow).where(InvocationRow.id == first.id).values(updated_at=moved))
        again = await wish(world)
        assert (again.id == first.id) is is_remembered
    assert again.state is State.AWAITING_APPROVAL


async def test_it_is_forgotten_when_the_policy_changes(world: World) -> None:
    first = await rejected(world)
    await ask_by(world, '@require("controllers:1")')

    again = await wish(world)

    assert (again.id == first.id, again.state) == (False, State.AWAITING_APPROVAL)


async def test_it_is_forgotten_when_the_tool_has_a_new_version(world: World) -> None:
    first = await rejected(world)
    changed = [
        one.model_copy(update={"description": "Remove it for good."}) if one.name == "item_delete" else one
        for one in connector.spec.operations
    ]
    release = connector.spec.model_copy(update={"version": "1.0.1", "operations": tuple(changed)})
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, release, world.runtime.authority)

    again = await wish(world)

    assert (again.id == first.id, again.state) == (False, State.AWAITING_APPROVAL)
