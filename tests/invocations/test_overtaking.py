"""What another release or account has overtaken is asked anew when that is so, not when it has been answered."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from sqlalchemy import update
from upstream.connector import connector
from world import World

from hub.approvals import Choice
from hub.audit import EventKind, events_of
from hub.core.errors import Conflict
from hub.invocations.overtaking import LOOKS_ANYWAY, Overtaking, overtake
from hub.invocations.queries import current
from hub.invocations.resume import due, resume
from hub.invocations.runtime import Runtime
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.values import Invocation
from hub.registry import register_connector, withdraw_version
from hub.storage import Tx

pytestmark = pytest.mark.anyio

Change = Callable[[World, Tx], Awaitable[object]]


async def tool_has_a_new_version(world: World, tx: Tx) -> None:
    changed = [
        one.model_copy(update={"description": "Remove an item for good."}) if one.name == "item_delete" else one
        for one in connector.spec.operations
    ]
    release = connector.spec.model_copy(update={"version": "1.0.1", "operations": tuple(changed)})
    await register_connector(tx, release, world.runtime.authority)


async def tool_is_not_offered_any_more(world: World, tx: Tx) -> None:
    tool = await world.runtime.catalog.resolve("item_delete", server="everything", caller=world.caller)
    await withdraw_version(tx, tool.version.id, "It misbehaved.", world.runtime.authority)


async def connection_is_signed_in_anew(world: World, tx: Tx) -> None:
    secret = {"token": world.upstream.token}
    await world.runtime.vault.put(tx, world.connection_id, secret, world.runtime.authority)


REASONS: Final[dict[Change, str]] = {
    tool_has_a_new_version: "the tool has a new version",
    tool_is_not_offered_any_more: "the tool is not offered in dev any more",
    connection_is_signed_in_anew: "the connection has been changed or signed in anew",
}


async def happens(world: World, change: Change) -> None:
    async with world.runtime.database.transaction() as tx:
        await change(world, tx)


@pytest.mark.parametrize("change", REASONS)
async def test_whoever_reads_a_question_that_can_take_effect_no_more_finds_it_closed(
    world: World, change: Change
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await happens(world, change)

    read = await current(world.runtime, asked.id)

    assert (read.state, read.error_message) == (State.STALE, REASONS[change])
    assert read.question is not None
    assert not read.question.is_open
    async with world.runtime.database.reading() as tx:
        assert (await events_of(tx, asked.id))[-1].kind is EventKind.INVOCATION_STALE


async def test_a_vote_that_comes_first_is_told_that_it_was_not_counted(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await happens(world, tool_has_a_new_version)

    with pytest.raises(
        Conflict, match=r"overtaken before you decided: the tool has a new version\. Nothing was decided"
    ):
        await world.vote(asked, world.ann)

    read = await current(world.runtime, asked.id)
    assert read.state is State.STALE
    assert read.question is not None
    assert read.question.votes == ()


async def test_a_rejection_ends_the_call_whatever_has_been_replaced(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await happens(world, tool_has_a_new_version)

    rejected = await world.vote(asked, world.ann, Choice.REJECT)

    assert rejected.state is State.REJECTED


async def test_it_is_asked_anew_though_nobody_reads_it_and_whoever_put_the_release_in_use_has_died(
    world: World,
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    other = await world.call("item_put", {"id": 2, "name": "ruler", "quantity": 600_000})
    assert other.state is State.AWAITING_APPROVAL
    await happens(world, tool_has_a_new_version)

    count = await Overtaking(world.runtime).turn()  # of another process: all it knows is in the database

    assert count == 1
    assert [one.invocation_id for one in await due(world.runtime)] == [asked.id]
    anew = await resume(asked.id, world.runtime)
    assert (anew.state, anew.revision) == (State.AWAITING_APPROVAL, 2)
    assert anew.tool_version_digest != asked.tool_version_digest
    assert (await world.vote(anew, world.ann)).state is State.APPROVED
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED
    assert (await current(world.runtime, other.id)).revision == 1


async def test_all_questions_are_looked_through_when_something_was_replaced_and_now_and_then(world: World) -> None:
    overtaking = Overtaking(world.runtime)
    first = await world.call("item_delete", {"id": 1})
    assert await overtaking.turn() == 0
    await happens(world, tool_has_a_new_version)
    assert await overtaking.turn() == 1
    await resume(first.id, world.runtime)
    await asked_about_what_was_replaced_at_that_moment(world, first.id)

    turns = [await overtaking.turn() for _ in range(LOOKS_ANYWAY + 1)]

    assert turns == [0] * LOOKS_ANYWAY + [1]


async def test_one_that_cannot_be_closed_keeps_no_other_open_and_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = [await world.call("item_delete", {"id": 1}, run=run) for run in ("one", "two")]
    await happens(world, tool_has_a_new_version)
    overtaking = Overtaking(world.runtime)

    async def but_for_one(invocation_id: str, runtime: Runtime) -> Invocation:
        if invocation_id == stuck.id:
            raise RuntimeError(invocation_id)
        return await overtake(invocation_id, runtime)

    with monkeypatch.context() as broken:
        broken.setattr("hub.invocations.overtaking.overtake", but_for_one)
        assert await overtaking.turn() == 1
        assert [one.invocation_id for one in await due(world.runtime)] == [other.id]
    assert await overtaking.turn() == 1

    assert {one.invocation_id for one in await due(world.runtime)} == {stuck.id, other.id}


async def asked_about_what_was_replaced_at_that_moment(world: World, invocation_id: str) -> None:
    async with world.runtime.database.transaction() as tx:
        row = (InvocationRow.id == invocation_id, InvocationRow.state == State.AWAITING_APPROVAL.value)
        await tx.execute(update(InvocationRow).where(*row).values(connection_generation=0))
