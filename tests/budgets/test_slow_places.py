"""Places of calls whose systems are slow: a place is kept as the lease is, while its process works."""

import asyncio
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import func, select
from world import World

from hub.budgets import Measure, NewLimit, Per, set_limit
from hub.budgets.tables import PlaceRow
from hub.invocations import asking, braking, preview
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.storage import now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

TIMEOUT: Final = 30
"""Of the tools of this world, in seconds."""


async def one_at_once(world: World) -> None:
    async with world.runtime.database.transaction() as tx:
        new = NewLimit(per=Per.AGENT, measure=Measure.AT_ONCE, amount=1, subject="")
        await set_limit(tx, new, world.runtime.authority)


def short(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return the world with leases of a second, and places that are taken for no longer."""
    monkeypatch.setattr(braking, "PLACE_GRACE", -TIMEOUT)
    return replace(world, runtime=replace(world.runtime, lease_seconds=1))


async def held_throughout(world: World) -> bool:
    """Return whether the one place is held at every look for longer than a lease."""
    over, held = asyncio.get_running_loop().time() + 1.5, list[int | None]()
    while asyncio.get_running_loop().time() < over:
        async with world.runtime.database.reading() as tx:
            standing = select(func.count()).select_from(PlaceRow).where(PlaceRow.until > await now(tx))
            held.append(await tx.scalar(standing))
        await asyncio.sleep(0.05)
    return set(held) == {1}


async def test_what_was_approved_is_committed_however_slow_its_system_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one_at_once(world)
    asked = await world.call("item_delete", {"id": 1})
    await world.vote(asked, world.ann)
    world, unveiled = short(world, monkeypatch), asking.unveiled
    kept = list[bool]()

    async def slowly(*given: Any) -> Any:  # noqa: ANN401  # whatever it returns
        if not kept:  # it is asked again once it is done, and its place given up
            kept.append(await held_throughout(world))
        return await unveiled(*given)

    monkeypatch.setattr(asking, "unveiled", slowly)
    done = await resume(asked.id, world.runtime)

    assert kept == [True]
    assert (done.state, done.error_message) == (State.VERIFIED, None)


async def test_a_slow_preview_keeps_its_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await one_at_once(world)
    world, unveiled = short(world, monkeypatch), preview.unveiled
    kept = list[bool]()

    async def slowly(*given: Any) -> Any:  # noqa: ANN401  # whatever it returns
        kept.append(await held_throughout(world))
        return await unveiled(*given)

    monkeypatch.setattr(preview, "unveiled", slowly)
    asked = await world.call("item_delete", {"id": 1})

    assert asked.state is State.AWAITING_APPROVAL
    assert kept == [True]
