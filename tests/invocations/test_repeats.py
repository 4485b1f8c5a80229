"""Calls that come twice: one invocation and one effect, and never somebody else's (governance, section 7)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from world import World

from hub.core.errors import IdempotencyMismatch
from hub.invocations.tables import InvocationRow, RepeatKeyRow
from hub.storage import now

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def count(world: World) -> int:
    async with world.runtime.database.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(InvocationRow)) or 0


async def test_five_equal_calls_at_once_are_one_invocation_with_one_effect(world: World) -> None:
    answers = await asyncio.gather(*(world.call("item_update", {"id": 1, "quantity": 90}, run="r1") for _ in range(5)))

    assert len({answer.id for answer in answers}) == 1
    assert sum(not answer.repeats for answer in answers) == 1
    assert await count(world) == 1
    assert len(world.upstream.store.effects(1)) == 1


@one_engine
async def test_a_repeat_says_so_and_brings_the_result(world: World) -> None:
    first = await world.call("item_update", {"id": 1, "quantity": 90})

    again = await world.call("item_update", {"quantity": 90, "id": 1})

    assert again.repeats
    assert again.id == first.id
    assert again.output == first.output


@one_engine
async def test_the_same_call_in_another_run_is_another_call(world: World) -> None:
    first = await world.call("ticket_create", {"title": "Broken"}, run="r1")

    other = await world.call("ticket_create", {"title": "Broken"}, run="r2")

    assert other.id != first.id


@one_engine
async def test_without_a_run_the_same_call_is_a_repeat_for_ten_minutes_only(world: World) -> None:
    first = await world.call("ticket_create", {"title": "Broken"})
    async with world.runtime.database.transaction() as tx:
        past = await now(tx) - timedelta(seconds=1)
        await tx.execute(update(RepeatKeyRow).values(expires_at=past))

    later = await world.call("ticket_create", {"title": "Broken"})

    assert later.id != first.id


@one_engine
async def test_an_idempotency_key_cannot_be_used_for_another_request(world: World) -> None:
    await world.call("ticket_create", {"title": "Broken"}, key="k1")

    assert (await world.call("ticket_create", {"title": "Broken"}, key="k1")).repeats
    with pytest.raises(IdempotencyMismatch):
        await world.call("ticket_create", {"title": "Broken again"}, key="k1")


@one_engine
async def test_the_same_call_by_somebody_else_is_not_joined(world: World) -> None:
    first = await world.call("ticket_create", {"title": "Broken"}, key="k1")

    alone = replace(world.caller, on_behalf_of=None)
    other = await world.call("ticket_create", {"title": "Broken"}, key="k1", caller=alone)

    assert other.id != first.id
