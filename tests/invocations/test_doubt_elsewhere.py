"""Connections that were changed since something was sent: where they lead now, nothing is sent again or believed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from invocations.time_passing import approved, later, settled
from upstream.faults import Fault
from upstream.fixtures import Upstream, running_upstream
from world import World

from hub.invocations.resume import resume
from hub.invocations.states import State
from hub.invocations.values import Invocation
from hub.registry import ConnectionChange, change_connection

pytestmark = pytest.mark.anyio


async def move_connection(world: World, base_url: str) -> None:
    """Let the connection lead elsewhere, with a credential for it."""
    authority = world.runtime.authority
    async with world.runtime.database.transaction() as tx:
        await change_connection(tx, world.connection_id, ConnectionChange(base_url=base_url), authority)
        await world.runtime.vault.put(tx, world.connection_id, {"token": world.upstream.token}, authority)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Upstream]:
    """Another system of the same kind."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with running_upstream(folder) as started:
        yield started


async def test_what_was_sent_to_one_system_is_never_sent_again_to_another(world: World, elsewhere: Upstream) -> None:
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="PUT")
    lost = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    assert lost.state is State.RESENDING
    await move_connection(world, elsewhere.base_url)

    found = await settled(world, lost)

    assert found.state is State.IN_DOUBT
    assert "connection was changed" in (found.error_message or "")
    assert len(world.upstream.store.effects(41)) == 1
    assert elsewhere.store.requests() == []


async def test_what_is_not_found_in_another_system_proves_nothing(world: World, elsewhere: Upstream) -> None:
    ready = await approved(world, "ticket_create", {"title": "The pencil broke"})
    world.upstream.store.plan_fault(Fault.DROP_AFTER, method="POST")
    lost = await resume(ready.id, world.runtime)
    await move_connection(world, elsewhere.base_url)

    await later(world, lost, sent_ago=timedelta(hours=1))
    still = await resume(lost.id, world.runtime)

    assert still.state is State.IN_DOUBT
    assert len(world.upstream.store.effects()) == 1
    assert elsewhere.store.requests() == []


async def test_what_was_committed_in_one_system_is_not_read_back_from_another(
    world: World, elsewhere: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(committed: Invocation, *_rest: object) -> Invocation:
        return committed

    with monkeypatch.context() as patched:
        patched.setattr("hub.invocations.commit.verify", dies)
        done = await world.call("item_put", {"id": 41, "name": "ruler", "quantity": 3})
    assert done.state is State.COMMITTED
    await move_connection(world, elsewhere.base_url)

    await later(world, done)
    found = await resume(done.id, world.runtime)

    assert found.state is State.UNVERIFIABLE
    assert elsewhere.store.requests() == []
