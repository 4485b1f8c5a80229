"""What waited for people is previewed anew when its system can be reached again, and not lost while it cannot."""

from datetime import timedelta

import pytest
from invocations.time_passing import later
from sqlalchemy import update
from upstream.connector import connector
from upstream.faults import Fault
from world import World

from hub.approvals.tables import QuestionRow
from hub.budgets import found
from hub.identity.principals import Caller
from hub.invocations.contact import look_after_connections
from hub.invocations.envelope import envelope
from hub.invocations.queries import cancel, current
from hub.invocations.resume import due, resume
from hub.invocations.states import State
from hub.invocations.undoing import Undo, undo
from hub.invocations.values import Invocation
from hub.registry import ConnectionChange, change_connection, register_connector
from hub.storage import now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

NOWHERE = "http://127.0.0.1:9"


async def leads_to(world: World, base_url: str) -> None:
    """Let an operator correct the connection's address, rightly or wrongly."""
    authority = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        await change_connection(tx, world.connection_id, ConnectionChange(base_url=base_url), authority)
        await world.runtime.vault.put(tx, world.connection_id, {"token": world.upstream.token}, authority)


async def has_a_version(world: World, version: str) -> None:
    """Release the connector with other words for what removes an item."""
    changed = tuple(
        one.model_copy(update={"description": f"Remove it, as of {version}."}) if one.name == "item_delete" else one
        for one in connector.spec.operations
    )
    release = connector.spec.model_copy(update={"version": version, "operations": changed})
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, release, world.runtime.authority)


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
    assert await due(world.runtime) == [], "it is asked again after a pause"


async def test_nothing_is_sent_to_a_system_that_is_known_not_to_answer(world: World) -> None:
    waiting = await asked_where_nothing_answers(world)
    for _ in range(3):
        assert (await world.call("item_get", {"id": 1})).state is State.FAILED
    assert await look_after_connections(world.runtime) == 1
    await leads_to(world, world.upstream.base_url)  # the hub has found out, and looks again itself
    requests = len(world.upstream.store.requests())

    still = await worked_on(world, waiting)

    assert (still.state, still.revision) == (State.PREVIEWING, 2)
    assert len(world.upstream.store.requests()) == requests
    assert await due(world.runtime) == []
    async with world.runtime.database.transaction() as tx:
        await found(tx, world.connection_id, None, world.runtime.authority)
    assert (await worked_on(world, waiting)).state is State.AWAITING_APPROVAL


async def test_an_undo_that_people_were_asked_about_waits_as_well(world: World) -> None:
    made = await world.call("item_put", {"id": 40, "name": "ruler", "quantity": 3})
    wanted = Undo(caller=Caller(actor=world.rita), invocation_id=made.id, reason="a slip", trace_id="trace")
    asked = await undo(wanted, world.runtime)
    assert asked.state is State.AWAITING_APPROVAL
    await has_a_version(world, "1.0.1")
    world.upstream.kill()

    waiting = await worked_on(world, asked)

    assert (waiting.state, waiting.revision) == (State.PREVIEWING, 2)


async def test_what_waits_is_previewed_with_the_tool_as_it_is_by_then(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await has_a_version(world, "1.0.1")
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, times=2)
    waiting = await worked_on(world, asked)
    assert (waiting.state, waiting.revision) == (State.PREVIEWING, 2)
    await has_a_version(world, "1.0.2")
    world.upstream.store.rows("DELETE FROM fault")

    asked = await worked_on(world, waiting)

    assert (asked.state, asked.revision) == (State.AWAITING_APPROVAL, 2)
    assert asked.tool_version_digest != waiting.tool_version_digest
    await world.vote(asked, world.ann)
    assert (await resume(asked.id, world.runtime)).state is State.VERIFIED


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
