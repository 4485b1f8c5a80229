"""Systems that take longer to answer than a lease lasts: what they are asked for is done once, by whoever has begun."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select, update
from world import World

from hub.audit import EventKind, events_of
from hub.dryrun.records import PreviewRow
from hub.execution import Violation
from hub.execution.executor import Executor
from hub.invocations import asking, leasing, preview, reconcile
from hub.invocations.commit import claim
from hub.invocations.leasing import kept_leased
from hub.invocations.queries import cancel, current
from hub.invocations.resume import Due, due, resume
from hub.invocations.states import State
from hub.invocations.tables import InvocationRow
from hub.registry.tables import ToolRow
from hub.storage import now

pytestmark = pytest.mark.anyio

ONE_ENGINE: Final = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Asked = Callable[..., Awaitable[Any]]


def with_short_leases(world: World) -> World:
    """Return the world with leases of a second: others last a minute, where a tool may take five."""
    return replace(world, runtime=replace(world.runtime, lease_seconds=1))


def outlasting(ask: Asked, world: World, found: list[list[Due]]) -> Asked:
    """Return `ask` so that it takes longer than a lease, and keeps what others found to go on with meanwhile."""

    async def slowly(*given: Any, **named: Any) -> Any:  # noqa: ANN401  # whatever it returns
        over = asyncio.get_running_loop().time() + 1.5 * world.runtime.lease_seconds
        while asyncio.get_running_loop().time() < over:
            found.append(await due(world.runtime))
            await asyncio.sleep(0.05)
        return await ask(*given, **named)

    return slowly


@ONE_ENGINE
async def test_a_slow_preview_is_taken_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world, found = with_short_leases(world), list[list[Due]]()
    monkeypatch.setattr(preview, "unveiled", outlasting(preview.unveiled, world, found))

    asked = await world.call("item_delete", {"id": 1})

    assert asked.state is State.AWAITING_APPROVAL
    assert found
    assert not any(found), "nobody else was to go on with it"


@ONE_ENGINE
async def test_a_connector_that_writes_in_a_preview_is_held_back_though_the_call_was_called_off_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unveiled, asked, go_on = preview.unveiled, asyncio.Event(), asyncio.Event()

    async def smuggling(*given: Any) -> Any:  # noqa: ANN401  # whatever it returns
        asked.set()
        await go_on.wait()
        return replace(await unveiled(*given), outcome=Violation(message="POST /items"))

    monkeypatch.setattr(preview, "unveiled", smuggling)
    calling = asyncio.create_task(world.call("item_delete", {"id": 1}))
    await asked.wait()
    async with world.runtime.database.reading() as tx:
        (invocation_id,) = await tx.scalars(select(InvocationRow.id))
    await cancel(world.runtime, world.caller, invocation_id, reason="never mind")
    go_on.set()
    await calling

    async with world.runtime.database.reading() as tx:
        held = await tx.scalars(select(ToolRow.name).where(ToolRow.quarantined.is_not(None)))
        assert list(held) == ["item_delete"]


@ONE_ENGINE
async def test_what_was_approved_is_committed_however_slow_its_system_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    world, found = with_short_leases(world), list[list[Due]]()
    monkeypatch.setattr(asking, "unveiled", outlasting(asking.unveiled, world, found))

    done = await resume(asked.id, world.runtime)

    assert done.state is State.VERIFIED
    assert found
    assert not any(found)


@ONE_ENGINE
async def test_what_takes_long_before_its_first_byte_is_left_to_its_process_and_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    world, found = with_short_leases(world), list[list[Due]]()
    slowly = outlasting(world.runtime.executor.commit, world, found)
    monkeypatch.setattr(
        Executor, "commit", lambda _, target, arguments, *, order: slowly(target, arguments, order=order)
    )

    done = await resume(asked.id, world.runtime)

    assert done.state is State.VERIFIED
    assert found
    assert not any(found)


@ONE_ENGINE
async def test_a_write_that_was_sent_keeps_the_lease_of_its_own(world: World) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    claimed = await claim(asked.id, world.runtime)
    assert claimed is not None
    short = with_short_leases(world).runtime
    async with world.runtime.database.transaction() as tx:
        ends = await now(tx)
        sent = {"state": State.SENT.value, "lease_until": ends}
        await tx.execute(update(InvocationRow).where(InvocationRow.id == asked.id).values(sent))

    async with kept_leased(claimed, short):
        await asyncio.sleep(1)

    async with world.runtime.database.reading() as tx:
        assert await tx.scalar(select(InvocationRow.lease_until).where(InvocationRow.id == asked.id)) == ends


@ONE_ENGINE
async def test_a_lease_is_renewed_though_an_attempt_failed_for_whatever_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    claimed = await claim(asked.id, world.runtime)
    assert claimed is not None
    async with world.runtime.database.transaction() as tx:
        first = await now(tx)
        await tx.execute(update(InvocationRow).where(InvocationRow.id == asked.id).values(lease_until=first))
    attempts, renewed = list[object](), asyncio.Event()

    async def once_in_vain(*given: object) -> None:
        attempts.append(given)
        if len(attempts) == 1:
            raise RuntimeError
        if len(attempts) == 3:  # the second one is on record
            renewed.set()

    monkeypatch.setattr(leasing, "keep_place", once_in_vain)

    async with kept_leased(claimed, with_short_leases(world).runtime), asyncio.timeout(60):  # so that it ends
        await renewed.wait()

    async with world.runtime.database.reading() as tx:
        until = await tx.scalar(select(InvocationRow.lease_until).where(InvocationRow.id == asked.id))
    assert until is not None
    assert until > first


@ONE_ENGINE
async def test_a_doubt_is_cleared_up_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    async with world.runtime.database.transaction() as tx:  # its process died over the request
        long_ago = await now(tx) - timedelta(minutes=10)
        sent = {"state": State.IN_DOUBT.value, "sent_at": long_ago, "lease_until": None, "sends": 1}
        await tx.execute(update(InvocationRow).values(sent))
    world, found = with_short_leases(world), list[list[Due]]()
    monkeypatch.setattr(reconcile, "_look", outlasting(reconcile._look, world, found))

    await resume(asked.id, world.runtime)

    assert found
    assert not any(found)


async def test_a_preview_that_comes_when_others_have_gone_on_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unveiled, stands, go_on = preview.unveiled, asyncio.Event(), asyncio.Event()

    async def slowly(*given: Any) -> Any:  # noqa: ANN401  # whatever it returns
        if not stands.is_set():
            stands.set()
            await go_on.wait()
        return await unveiled(*given)

    monkeypatch.setattr(preview, "unveiled", slowly)
    calling = asyncio.create_task(world.call("item_delete", {"id": 1}))
    await stands.wait()
    async with world.runtime.database.transaction() as tx:  # its process has stood still for longer than its lease
        await tx.execute(update(InvocationRow).values(lease_until=await now(tx) - timedelta(seconds=1)))
        (invocation_id,) = await tx.scalars(select(InvocationRow.id))
    asked = await resume(invocation_id, world.runtime)
    assert asked.state is State.AWAITING_APPROVAL
    world.edit_by_hand(1, quantity=11)
    go_on.set()
    answered = await calling

    async with world.runtime.database.reading() as tx:
        kinds = [event.kind for event in await events_of(tx, invocation_id)]
        previews = [row.digest for row in await tx.scalars(select(PreviewRow))]
    assert (answered.id, answered.state) == (invocation_id, State.AWAITING_APPROVAL)
    assert asked.preview is not None
    assert previews == [asked.preview.digest]
    assert kinds.count(EventKind.INVOCATION_PREVIEWED) == 1
    assert (await current(world.runtime, invocation_id)).state is State.AWAITING_APPROVAL
