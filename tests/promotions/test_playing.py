"""Recorded writes are played with another release from the record alone; what was never asked is never guessed."""

from dataclasses import replace

import pytest
from doors.federated import connect_federated
from sqlalchemy import select, update
from upstream.fixtures import McpUpstream

from connectors.mcp_upstream import Owner
from connectors.sdk.wire import WireRequest
from hub import promotions
from hub.core.errors import Conflict
from hub.dryrun.tables import PreviewRow
from hub.erasures import USUAL, retain
from hub.execution import Heard
from hub.invocations.asking import called_with
from hub.invocations.playing import as_released, play, sealed_exchanges
from hub.invocations.promoting import check_gates, play_since
from hub.invocations.tables import InvocationRow
from hub.promotions import Gate, Likeness, Stand, State
from hub.registry import newest_release, register_connector
from hub.storage import now
from promotions.stage import LATER, Stage

pytestmark = pytest.mark.anyio


async def test_what_differs_is_shown_call_by_call_and_asks_for_an_explanation(stage: Stage) -> None:
    await stage.call("item_put", {"id": 7, "name": "ruler", "quantity": 3})
    await stage.call("item_update", {"id": 1, "quantity": 5})
    await stage.call("item_delete", {"id": 1})
    await stage.call("note_post", {"text": "Back at noon"})
    await stage.release(LATER)
    await stage.badge(LATER)

    asked = await stage.ask()

    assert asked.rehearsal is not None
    played = {one.tool: (one.likeness, one.reasons) for one in asked.rehearsal.played}
    assert played["item_put"] == (Likeness.SAME, ())
    assert played["item_update"] == (Likeness.DIFFERENT, ("items/1: quantity would become something else",))
    assert played["item_delete"] == (Likeness.UNSURE, ("It asks what was never asked: GET /items",))
    assert played["note_post"] == (Likeness.DIFFERENT, ("It is no longer offered.",))
    (replayed,) = [one for one in asked.findings if one.gate is Gate.REPLAY]
    assert replayed.stand is Stand.OPEN
    with pytest.raises(Conflict, match=r"replay: Of 4 recorded writes 1 come out the same, 2 differ, and of 1"):
        await stage.decide(asked, stage.world.ann)

    world = stage.world
    async with world.runtime.database.transaction() as tx:
        rules = world.runtime.promotions
        explained = await promotions.explain(tx, asked.id, "Dozens from now on.", rules, stage.authority(world.rita))
    assert (await stage.decide(explained, world.ann)).state is State.IN_FORCE


async def test_an_explanation_is_about_what_was_played_and_nothing_later(stage: Stage) -> None:
    await stage.call("item_update", {"id": 1, "quantity": 5})
    await stage.release(LATER)
    asked, world = await stage.ask(), stage.world
    async with world.runtime.database.transaction() as tx:
        await promotions.explain(tx, asked.id, "Dozens.", world.runtime.promotions, stage.authority(world.rita))

    again = await check_gates(asked.id, world.runtime, stage.authority(world.rita))

    assert again.explanation is None


async def test_playing_sends_nothing_and_gives_the_same_for_the_version_that_was_called(stage: Stage) -> None:
    world = stage.world
    recorded = await stage.call("item_update", {"id": 1, "quantity": 5})
    asked_before = len(world.upstream.store.rows("SELECT * FROM request"))
    world.edit_by_hand(1, quantity=99)

    played = await play(recorded, await called_with(recorded, world.runtime), world.runtime)

    assert (played.likeness, played.reasons) == (Likeness.SAME, ())
    assert len(world.upstream.store.rows("SELECT * FROM request")) == asked_before


async def test_all_of_a_day_is_played_again_and_agrees_unless_the_record_was_changed(stage: Stage) -> None:
    world = stage.world
    async with world.runtime.database.reading() as tx:
        since = await now(tx)
    await stage.call("item_update", {"id": 1, "quantity": 5})
    deletion = await stage.call("item_delete", {"id": 1})
    agrees = await play_since(since, world.runtime)
    async with world.runtime.database.transaction() as tx:
        of_deletion = update(PreviewRow).where(PreviewRow.invocation_id == deletion.id)
        await tx.execute(of_deletion.values(digest="0" * 64))

    differs = await play_since(since, world.runtime)

    assert [one.likeness for one in agrees] == [Likeness.SAME, Likeness.SAME]
    assert [one.likeness for one in differs] == [Likeness.SAME, Likeness.DIFFERENT]


async def test_a_call_with_a_secret_is_not_kept_and_never_said_to_agree(stage: Stage) -> None:
    world = stage.world
    recorded = await stage.call("item_update", {"id": 1, "quantity": 5})
    heard = [Heard(request=WireRequest(method="GET", path="/items/1"))]

    kept = sealed_exchanges(recorded, heard, world.runtime.keys)
    unkept = sealed_exchanges(replace(recorded, sealed_arguments=b"sealed"), heard, world.runtime.keys)

    assert (kept is not None, unkept, sealed_exchanges(recorded, None, world.runtime.keys)) == (True, None, None)


async def test_without_the_answers_on_record_nothing_is_said(stage: Stage) -> None:
    world = stage.world
    recorded = await stage.call("item_update", {"id": 1, "quantity": 5})
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(PreviewRow).values(sealed_exchanges=None))

    played = await play(recorded, await called_with(recorded, world.runtime), world.runtime)

    assert played.likeness is Likeness.UNSURE


async def test_answers_are_kept_encrypted_and_forgotten_after_a_time(stage: Stage) -> None:
    world = stage.world
    await stage.call("item_update", {"id": 1, "quantity": 5})
    async with world.runtime.database.transaction() as tx:
        (sealed,) = await tx.scalars(select(PreviewRow.sealed_exchanges))
    await retain(world.runtime.database, world.runtime.keys, USUAL)
    async with world.runtime.database.transaction() as tx:
        (kept,) = await tx.scalars(select(PreviewRow.sealed_exchanges))
        at = await now(tx)
        await tx.execute(update(InvocationRow).values(updated_at=at.replace(year=at.year - 1)))
    await retain(world.runtime.database, world.runtime.keys, USUAL)
    async with world.runtime.database.reading() as tx:
        (forgotten,) = await tx.scalars(select(PreviewRow.sealed_exchanges))

    assert sealed is not None
    assert b"pencil" not in sealed
    assert (kept, forgotten) == (sealed, None)


@pytest.mark.parametrize(
    ("members", "likeness", "reasons"),
    [
        ({}, Likeness.SAME, ()),
        ({"loud": {"type": "boolean", "default": True}}, Likeness.DIFFERENT, ("It would be given other arguments.",)),
        ({"loud": {"type": "boolean"}}, Likeness.SAME, ()),
    ],
    ids=["the same", "a default", "more"],
)
async def test_a_write_without_a_preview_comes_out_the_same_if_it_is_given_the_same(
    stage: Stage, mcp_upstream: McpUpstream, members: dict[str, object], likeness: Likeness, reasons: tuple[str, ...]
) -> None:
    world, runtime = stage.world, stage.world.runtime
    await connect_federated(runtime, Owner(name="notes"), mcp_upstream.url)
    caller = replace(world.caller, scopes=frozenset({"notes:write"}))
    recorded = await world.call("liar", {"text": "Back at noon"}, caller=caller)
    tool = await called_with(recorded, runtime)
    takes = {**tool.operation.input_schema, "properties": {**tool.operation.input_schema["properties"], **members}}
    operation = tool.operation.model_copy(update={"input_schema": takes})
    spec = tool.connector.model_copy(update={"operations": (operation,)})
    async with runtime.database.transaction() as tx:
        await register_connector(tx, spec, runtime.authority)
        later = as_released(tool, await newest_release(tx, "notes"))
    assert later is not None

    played = await play(recorded, later, runtime)

    assert (played.likeness, played.reasons) == (likeness, reasons)
