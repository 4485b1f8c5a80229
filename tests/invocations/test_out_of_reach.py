"""What waited for people is previewed anew when its system can be reached again, and not lost while it cannot."""

from datetime import timedelta

import pytest
from invocations.time_passing import later
from sqlalchemy import update
from world import World

from hub.approvals.tables import QuestionRow
from hub.invocations.envelope import envelope
from hub.invocations.queries import cancel, current
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import ConnectionChange, change_connection
from hub.storage import now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

NOWHERE = "http://127.0.0.1:9"


async def leads_to(world: World, base_url: str) -> None:
    """Let an operator correct the connection's address, rightly or wrongly."""
    authority = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        await change_connection(tx, world.connection_id, ConnectionChange(base_url=base_url), authority)
        await world.runtime.vault.put(tx, world.connection_id, {"token": world.upstream.token}, authority)


async def worked_on(world: World, asked: Invocation) -> Invocation:
    """Return it after its pause, and one step of a worker."""
    await current(world.runtime, asked.id)
    await later(world, asked)
    return await resume(asked.id, world.runtime)


async def asked_where_nothing_answers(world: World) -> Invocation:
    """Return a question that a wrong address has overtaken, where it was to be previewed anew."""
    asked = await world.call("item_delete", {"id": 1})
    assert asked.state is State.AWAITING_APPROVAL
    await leads_to(world, NOWHERE)
    for _ in range(2):
        asked = await worked_on(world, asked)
    return asked


async def test_a_wrong_address_that_is_put_right_loses_nothing_that_waited(world: World) -> None:
    waiting = await asked_where_nothing_answers(world)
    assert (waiting.state, waiting.revision) == (State.PREVIEWING, 2)
    assert "It is being previewed; nothing has been changed" in envelope(waiting, public_url="http://hub").text

    await leads_to(world, world.upstream.base_url)
    asked = await worked_on(world, waiting)

    assert (asked.state, asked.revision) == (State.AWAITING_APPROVAL, 2)
    assert (await current(world.runtime, asked.id)).state is State.AWAITING_APPROVAL
    await world.vote(asked, world.ann)
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED
    assert len(world.upstream.store.effects(1)) == 1


async def test_an_outage_while_it_is_previewed_anew_loses_nothing_either(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    world.edit_by_hand(1, quantity=11)
    assert (await resume(asked.id, world.runtime)).state is State.STALE
    world.upstream.kill()

    for _ in range(5):
        waiting = await worked_on(world, asked)

    assert (waiting.state, waiting.revision) == (State.PREVIEWING, 2)


async def test_it_waits_no_longer_than_people_were_to_be_asked(world: World) -> None:
    waiting = await asked_where_nothing_answers(world)
    async with world.runtime.database.transaction() as tx:
        over = update(QuestionRow).where(QuestionRow.invocation_id == waiting.id)
        await tx.execute(over.values(expires_at=await now(tx) - timedelta(seconds=1)))

    ended = await worked_on(world, waiting)

    assert ended.state is State.PREVIEW_FAILED
    assert "Nothing listens" in (ended.error_message or "")


async def test_it_can_be_called_off_meanwhile(world: World) -> None:
    waiting = await asked_where_nothing_answers(world)

    ended = await cancel(world.runtime, world.caller, waiting.id, reason="")

    assert ended.state is State.CANCELLED


async def test_a_call_that_nobody_was_asked_about_yet_fails_at_once(world: World) -> None:
    await leads_to(world, NOWHERE)

    assert (await world.call("item_delete", {"id": 1})).state is State.PREVIEW_FAILED
