"""Keys that grow old: a write of class A is sent again only as long as its system can be expected to know its key."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from upstream.faults import Fault
from world import World

from connectors.sdk.vocabulary import UpstreamClass
from hub.invocations.asking import called_with
from hub.invocations.commit import send
from hub.invocations.journal import load
from hub.invocations.protocol import KEY_IS_KNOWN_FOR, resent_within
from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.tables import AttemptRow, InvocationRow
from hub.invocations.values import Invocation
from hub.storage import now

pytestmark = pytest.mark.anyio


async def settled(world: World, invocation: Invocation) -> Invocation:
    """Return the invocation after as many steps of a worker as may follow; leases and pauses are over each time."""
    for _ in range(4):
        async with world.runtime.database.transaction() as tx:
            mine = update(InvocationRow).where(InvocationRow.id == invocation.id)
            await tx.execute(mine.values(not_before=None, lease_until=None))
        invocation = await resume(invocation.id, world.runtime)
        if invocation.state.is_terminal:
            break
    return invocation


async def first_sent(world: World, invocation: Invocation, ago: timedelta) -> None:
    """Let the first request of `invocation` have left so long ago."""
    async with world.runtime.database.transaction() as tx:
        mine = update(AttemptRow).where(AttemptRow.invocation_id == invocation.id)
        await tx.execute(mine.values(sent_at=await now(tx) - ago))


def forget_keys(world: World) -> None:
    """Let the system forget every key, as systems do after a day or so, and let somebody remove what was made."""
    world.upstream.store.rows("DELETE FROM answer")
    world.upstream.store.rows("DELETE FROM item WHERE id = 41")


@pytest.mark.parametrize("state", [State.SENT, State.RESENDING])
async def test_a_key_that_the_system_may_have_forgotten_is_not_used_again(world: World, state: State) -> None:
    """As after a weekend on which the hub was down: the same request would be another write."""
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")
    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    assert lost.state is State.RESENDING
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(InvocationRow).where(InvocationRow.id == lost.id).values(state=state.value))
    await first_sent(world, lost, KEY_IS_KNOWN_FOR)
    forget_keys(world)

    found = await settled(world, lost)

    assert (found.state, found.error_code) == (State.IN_DOUBT, "in_doubt")
    assert "may have forgotten its key" in (found.error_message or "")
    assert len(world.upstream.store.effects(41)) == 1


async def test_a_key_is_used_again_for_as_long_as_systems_know_it(world: World) -> None:
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")
    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    await first_sent(world, lost, KEY_IS_KNOWN_FOR - timedelta(minutes=5))

    found = await settled(world, lost)

    assert found.state is State.VERIFIED
    assert len(world.upstream.store.effects(41)) == 1


async def test_who_was_kept_waiting_before_the_mark_does_not_use_an_old_key_either(world: World) -> None:
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")
    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    await first_sent(world, lost, KEY_IS_KNOWN_FOR)
    forget_keys(world)
    async with world.runtime.database.transaction() as tx:  # as whoever takes it over does
        mine = update(InvocationRow).where(InvocationRow.id == lost.id)
        await tx.execute(mine.values(fence=lost.fence + 1))
        taken_over = await load(tx, lost.id)

    after = await send(taken_over, await called_with(lost, world.runtime), world.runtime)

    assert after.state is State.RESENDING
    assert len(world.upstream.store.effects(41)) == 1


async def test_a_condition_is_as_good_after_days(world: World) -> None:
    world.upstream.store.plan_fault(Fault.DROP_BEFORE, method="PATCH")
    lost = await world.call("item_update", {"id": 1, "quantity": 90})
    await first_sent(world, lost, timedelta(days=3))

    found = await settled(world, lost)

    assert found.state is State.VERIFIED
    assert len(world.upstream.store.effects(1)) == 1


@pytest.mark.parametrize(
    ("promised", "is_natural", "within"),
    [
        (UpstreamClass.A, False, KEY_IS_KNOWN_FOR),
        (UpstreamClass.A, True, None),
        (UpstreamClass.B, False, None),
    ],
)
def test_what_a_resend_rests_on_wears_off_or_not(
    promised: UpstreamClass, *, is_natural: bool, within: timedelta | None
) -> None:
    assert resent_within(promised, is_natural=is_natural) == within
