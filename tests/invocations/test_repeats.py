"""Calls that come twice: one invocation and one effect, and never somebody else's (governance, section 7)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from world import World

from hub.core.errors import IdempotencyMismatch
from hub.identity.principals import Caller
from hub.invocations.envelope import envelope
from hub.invocations.queries import current
from hub.invocations.receive import KEY_KEPT, REPEAT_WINDOW
from hub.invocations.resume import resume
from hub.invocations.states import DONE, State
from hub.invocations.tables import InvocationRow
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Invocation
from hub.storage import now

pytestmark = pytest.mark.anyio
one_engine = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def age(world: World, invocation: Invocation, by: timedelta) -> None:
    """Let an invocation be so old, and let it have moved so long ago."""
    async with world.runtime.database.transaction() as tx:
        at = await now(tx)
        await tx.execute(update(InvocationRow).where(InvocationRow.id == invocation.id).values(updated_at=at - by))


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
@pytest.mark.parametrize("state", [State.PREVIEWING, State.STALE])
async def test_a_repeat_of_what_nobody_was_asked_about_yet_is_not_told_that_it_is_carried_out(
    world: World, state: State
) -> None:
    asked = await world.call("item_delete", {"id": 1})

    told = envelope(replace(asked, state=state), public_url="http://hub").text

    assert "It is being previewed; nothing has been changed" in told
    assert "carried out" not in told


async def test_the_same_call_in_another_run_is_another_call(world: World) -> None:
    first = await world.call("ticket_create", {"title": "Broken"}, run="r1")

    other = await world.call("ticket_create", {"title": "Broken"}, run="r2")

    assert other.id != first.id


@one_engine
@pytest.mark.parametrize(
    ("known_by", "kept"),
    [({}, REPEAT_WINDOW), ({"run": "r1"}, KEY_KEPT), ({"key": "k1"}, KEY_KEPT)],
    ids=["alone", "in-a-run", "with-a-key"],
)
async def test_the_same_call_is_a_repeat_for_so_long_after_it_ended_and_then_no_more(
    world: World, known_by: dict[str, str], kept: timedelta
) -> None:
    update_it = {"id": 1, "quantity": 90}
    first = await world.call("item_update", update_it, **known_by)
    await age(world, first, kept - timedelta(minutes=1))
    assert (await world.call("item_update", update_it, **known_by)).id == first.id

    await age(world, first, kept)
    later = await world.call("item_update", update_it, **known_by)

    assert later.id != first.id
    assert not later.repeats


@one_engine
@pytest.mark.parametrize("known_by", [{}, {"run": "r1"}, {"key": "k1"}], ids=["alone", "in-a-run", "with-a-key"])
async def test_what_still_waits_is_repeated_however_long_it_does_and_its_effect_is_one(
    world: World, known_by: dict[str, str]
) -> None:
    first = await world.call("ticket_create", {"title": "Broken"}, **known_by)
    assert first.state is State.AWAITING_APPROVAL
    await age(world, first, timedelta(days=30))

    again = await world.call("ticket_create", {"title": "Broken"}, **known_by)
    await world.vote(first, world.ann)
    await resume(first.id, world.runtime)
    done = await world.call("ticket_create", {"title": "Broken"}, **known_by)

    assert {again.id, done.id} == {first.id}
    assert done.state in DONE
    assert len(world.upstream.store.effects()) == 1


@one_engine
async def test_a_repeat_of_what_was_taken_back_says_so_and_does_it_no_second_time(world: World) -> None:
    first = await world.call("item_update", {"id": 1, "quantity": 90})
    wanted = Undo(caller=Caller(actor=world.rita), invocation_id=first.id, reason="A slip.", trace_id="trace")
    undone = await undo(wanted, world.runtime)
    assert undone.state in DONE

    again = await world.call("item_update", {"id": 1, "quantity": 90})
    told = envelope(again, public_url="https://hub.example")

    assert again.id == first.id
    assert f"It has been taken back since, by invocation {undone.id}." in told.text
    assert "an idempotency key of its own" in told.text
    assert len(world.upstream.store.effects(1)) == 2
    looked = await current(world.runtime, first.id)
    seen = envelope(looked, public_url="https://hub.example").text
    assert f"taken back since, by invocation {undone.id}" in seen
    assert "idempotency key" not in seen


@one_engine
async def test_an_undo_that_waits_or_came_to_nothing_or_to_something_else_has_taken_nothing_back(world: World) -> None:
    first = await world.call("item_update", {"id": 1, "quantity": 90})
    wanted = Undo(caller=Caller(actor=world.rita), invocation_id=first.id, reason="A slip.", trace_id="trace")
    undone = await undo(wanted, world.runtime)

    for state in (State.AWAITING_APPROVAL, State.STALE, State.IN_DOUBT, State.FAILED, State.DIVERGED):
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(InvocationRow).where(InvocationRow.id == undone.id).values(state=state.value))
        again = await world.call("item_update", {"id": 1, "quantity": 90})

        assert (again.id, again.taken_back_by) == (first.id, "")


@one_engine
async def test_who_gives_a_key_is_not_told_to_give_one(world: World) -> None:
    first = await world.call("item_update", {"id": 1, "quantity": 90}, key="k1")

    again = await world.call("item_update", {"id": 1, "quantity": 90}, key="k1")
    told = envelope(again, public_url="https://hub.example").text

    assert again.repeats
    assert told.endswith(f"invocation {first.id}. It was carried out once, under the idempotency key of this call.")


@one_engine
async def test_what_was_taken_back_under_a_key_is_done_again_under_another(world: World) -> None:
    first = await world.call("item_update", {"id": 1, "quantity": 90}, key="k1")
    wanted = Undo(caller=Caller(actor=world.rita), invocation_id=first.id, reason="A slip.", trace_id="trace")
    assert (await undo(wanted, world.runtime)).state in DONE

    told = envelope(
        await world.call("item_update", {"id": 1, "quantity": 90}, key="k1"), public_url="https://hub.example"
    )
    anew = await world.call("item_update", {"id": 1, "quantity": 90}, key="k2")

    assert told.text.endswith("What is meant once more needs another key.")
    assert anew.id != first.id


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
