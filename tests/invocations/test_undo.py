"""Undo: a governed call of its own, which never writes over what somebody else has written since."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from upstream.connector import connector
from upstream.fixtures import Upstream
from world import World, open_world

from connectors.sdk.vocabulary import Reversal
from hub.audit import events_of
from hub.core.errors import Conflict, NotFound
from hub.identity.principals import Caller, Principal
from hub.invocations.envelope import envelope
from hub.invocations.queries import current, look_at
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.invocations.undoing import Undo, UndoOffer, offer_of, undo
from hub.invocations.values import Invocation
from hub.keys import Keyring
from hub.registry import register_connector
from hub.registry.tables import BadgeRow
from hub.storage import Database, now

pytestmark = pytest.mark.anyio
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def world(database: Database, keys: Keyring, upstream: Upstream) -> AsyncGenerator[World]:
    """Nobody is told to come back later here, however slow the machine is."""
    async with open_world(database, keys, upstream) as opened:
        yield opened


async def undone(world: World, done: Invocation, by: Principal | None = None) -> Invocation:
    """Let somebody, rita unless it is said, ask for the undo."""
    caller = Caller(actor=by or world.rita)
    return await undo(Undo(caller=caller, invocation_id=done.id, reason="a slip", trace_id="trace"), world.runtime)


async def offered(world: World, done: Invocation) -> UndoOffer:
    return await offer_of(world.runtime, Caller(actor=world.rita), done.id)


def quantity_in(world: World, number: int = 1) -> int:
    (item,) = world.upstream.store.rows("SELECT quantity FROM item WHERE id = ?", number)
    return int(item["quantity"])


async def shift_window(world: World, call: Invocation, by: timedelta) -> None:
    """Move the moment until which `call` may be sent, as if the time had passed."""
    async with world.runtime.database.transaction() as tx:
        moved = update(InvocationRow).where(InvocationRow.id == call.id).values(undo_until=await now(tx) + by)
        await tx.execute(moved)


async def test_what_was_committed_is_undone_by_a_call_of_its_own(world: World) -> None:
    before = quantity_in(world)
    done = await world.call("item_update", {"id": 1, "quantity": 9})

    taken_back = await undone(world, done)

    assert taken_back.state is State.VERIFIED, taken_back.error_message
    assert taken_back.undoes == done.id
    assert taken_back.agent_id == world.rita.id
    assert quantity_in(world) == before
    assert len(world.upstream.store.effects()) == 2
    async with world.runtime.database.reading() as tx:
        events = await events_of(tx, taken_back.id)
    assert {event.facts["undoes"] for event in events} == {done.id}
    assert (await offered(world, done)).undone_by is not None


@ONE_ENGINE
async def test_an_agent_undoes_its_own_call_within_its_scopes(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    wanted = Undo(caller=world.caller, invocation_id=done.id, reason="a slip", trace_id="trace")

    with pytest.raises(Exception, match="upstream:write"):
        await undo(replace(wanted, caller=replace(world.caller, scopes=frozenset({"upstream:read"}))), world.runtime)
    taken_back = await undo(wanted, world.runtime)

    assert taken_back.state is State.VERIFIED
    assert taken_back.agent_id == world.bot.id


@ONE_ENGINE
async def test_an_undo_is_undone_by_another_one(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    taken_back = await undone(world, done)

    again = await undone(world, taken_back)

    assert again.state is State.VERIFIED
    assert quantity_in(world) == 9
    assert (await undone(world, taken_back)).id == again.id


async def test_what_stands_again_is_undone_anew_and_once(world: World) -> None:
    before = quantity_in(world)
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    first = await undone(world, done)
    await undone(world, first)
    standing = await current(world.runtime, done.id)
    assert standing.taken_back_by == ""
    assert "taken back" not in envelope(standing, public_url="http://hub").text
    assert (await offered(world, done)).is_open

    asked = await asyncio.gather(*(undone(world, done) for _ in range(3)))

    (second,) = {one.id for one in asked}
    assert second != first.id
    assert quantity_in(world) == before
    assert len(world.upstream.store.effects()) == 4
    assert (await current(world.runtime, done.id)).taken_back_by == second
    assert (await undone(world, done)).id == second


@ONE_ENGINE
async def test_while_it_is_not_known_whether_an_undo_was_undone_nothing_is_told_as_taken_back(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    first = await undone(world, done)
    second = await undone(world, first)
    for sent_at, taken_back_by in ((second.sent_at, ""), (None, first.id)):
        stands = {"state": State.IN_DOUBT.value if sent_at else State.AWAITING_APPROVAL.value, "sent_at": sent_at}
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(InvocationRow).where(InvocationRow.id == second.id).values(stands))

        assert (await current(world.runtime, done.id)).taken_back_by == taken_back_by


@ONE_ENGINE
async def test_an_undo_that_an_operator_found_done_takes_back_and_one_found_not_done_does_not(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    taken_back = await undone(world, done)

    for found, by in ((None, taken_back.id), ("found_not_done", "")):
        settled = {"state": State.RESOLVED_BY_HUMAN.value, "error_code": found}
        async with world.runtime.database.transaction() as tx:
            await tx.execute(update(InvocationRow).where(InvocationRow.id == taken_back.id).values(settled))
        assert (await current(world.runtime, done.id)).taken_back_by == by


@ONE_ENGINE
async def test_what_somebody_else_changed_since_is_a_conflict_and_nothing_is_written(world: World) -> None:
    before = quantity_in(world)
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    world.edit_by_hand(1, quantity=7)

    refused = await undone(world, done)

    assert refused.state is State.PREVIEW_FAILED
    assert refused.error_code == "undo_conflict"
    assert refused.conflict == (
        {"target": "items/1", "field": "quantity", "before": str(before), "committed": "9", "now": "7"},
    )
    assert "items/1: quantity is not as we made it." in (refused.error_message or "")
    assert quantity_in(world) == 7
    assert len(world.upstream.store.effects()) == 1


@ONE_ENGINE
async def test_after_a_conflict_was_settled_by_hand_the_undo_can_be_asked_for_again(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    world.edit_by_hand(1, quantity=7)
    refused = await undone(world, done)
    world.edit_by_hand(1, quantity=9)

    again = await undone(world, done)

    assert again.id != refused.id
    assert again.state is State.VERIFIED


@ONE_ENGINE
async def test_a_change_made_while_an_undo_waits_for_approval_stops_it_before_anything_is_sent(world: World) -> None:
    made = await world.call("item_put", {"id": 40, "name": "ruler", "quantity": 3})
    assert made.state is State.VERIFIED
    asked = await undone(world, made)
    assert asked.state is State.AWAITING_APPROVAL
    await world.vote(asked, world.ann)
    world.edit_by_hand(40, quantity=4)

    stale = await resume(asked.id, world.runtime)
    refused = await resume(asked.id, world.runtime)

    assert stale.state is State.STALE
    assert "items/40: quantity is not as we made it" in (stale.error_message or "")
    assert refused.state is State.PREVIEW_FAILED
    assert refused.error_code == "undo_conflict"
    assert quantity_in(world, 40) == 4


@ONE_ENGINE
async def test_an_undo_of_tier_high_waits_for_another_person_than_the_one_who_asked(world: World) -> None:
    made = await world.call("item_put", {"id": 40, "name": "ruler", "quantity": 3})
    asked = await undone(world, made)

    with pytest.raises(Exception, match="take part"):
        await world.vote(asked, world.rita)
    await world.vote(asked, world.ann)
    gone = await resume(asked.id, world.runtime)

    assert gone.state in {State.VERIFIED, State.UNVERIFIABLE}
    assert world.upstream.store.rows("SELECT quantity FROM item WHERE id = 40") == []


async def test_two_people_who_ask_at_once_get_one_undo(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})

    answers = await asyncio.gather(*(undone(world, done) for _ in range(4)))

    assert len({answer.id for answer in answers}) == 1
    assert len(world.upstream.store.effects()) == 2


async def test_an_undo_after_its_window_is_refused_by_the_databases_clock(world: World) -> None:
    made = await world.call("item_put", {"id": 40, "name": "ruler", "quantity": 3})
    asked = await undone(world, made)
    await world.vote(asked, world.ann)
    await shift_window(world, asked, timedelta(milliseconds=-1))

    await resume(asked.id, world.runtime)
    refused = await resume(asked.id, world.runtime)

    assert refused.error_code == "undo_too_late"
    assert quantity_in(world, 40) == 3


@ONE_ENGINE
async def test_what_the_kit_has_not_proven_is_offered_as_partial(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    proven = (await offered(world, done)).kind
    async with world.runtime.database.transaction() as tx:
        for badge in await tx.scalars(select(BadgeRow)):
            await tx.delete(badge)

    assert proven is Reversal.EXACT
    assert (await offered(world, done)).kind is Reversal.PARTIAL


@ONE_ENGINE
async def test_what_declares_no_undo_or_was_not_carried_out_cannot_be_undone(world: World) -> None:
    read = await world.call("item_get", {"id": 1})
    waiting = await world.call("item_delete", {"id": 1})
    await world.vote(waiting, world.ann)
    deleted = await resume(waiting.id, world.runtime)

    for call, why in ((read, "declares nothing"), (deleted, "declares nothing")):
        with pytest.raises(Conflict, match=why):
            await undone(world, call)
    pending = await world.call("ticket_create", {"title": "The pencil broke"})
    with pytest.raises(Conflict, match="Only what was carried out"):
        await undone(world, pending)


@ONE_ENGINE
async def test_after_the_connection_was_changed_nothing_is_undone_through_it(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})
    async with world.runtime.database.transaction() as tx:
        secret = {"token": world.upstream.token}
        await world.runtime.vault.put(tx, world.connection_id, secret, world.runtime.authority)

    with pytest.raises(Conflict, match="connection was changed"):
        await undone(world, done)


@ONE_ENGINE
async def test_an_undo_is_unknown_to_those_who_have_no_business_with_what_it_undoes(world: World) -> None:
    done = await world.call("item_update", {"id": 1, "quantity": 9})

    with pytest.raises(NotFound):
        await undone(world, done, by=world.carl)
    taken_back = await undone(world, done)

    assert (await look_at(world.runtime, world.caller, taken_back.id)).id == taken_back.id
    with pytest.raises(NotFound):
        await look_at(world.runtime, Caller(actor=world.carl), taken_back.id)


@ONE_ENGINE
async def test_what_had_a_secret_argument_is_not_undone_from_the_record(world: World) -> None:
    spec = connector.spec.model_copy(deep=True, update={"version": "1.0.1"})
    spec.operation("item_update").input_schema["properties"]["name"]["x-secret"] = True
    async with world.runtime.database.transaction() as tx:
        await register_connector(tx, spec, world.runtime.authority)
    asked = await world.call("item_update", {"id": 1, "name": "PIN-4711"})
    await world.vote(asked, world.ann)
    done = await resume(asked.id, world.runtime)
    assert done.state is State.VERIFIED, done.error_message

    with pytest.raises(Conflict, match="secrets"):
        await undone(world, done)
