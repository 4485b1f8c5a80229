"""Looks and decisions at the same time: what is seen or accepted first never undoes what is newer."""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from doors.agents import BOTH_ENGINES
from going_on import longest_wait
from pins.listing import Listing
from pins.noted import FIND, POST, TEXT, Notes
from sqlalchemy import update
from upstream.fixtures import running

from connectors.mcp_upstream import Owner
from hub import pins
from hub.core.errors import Conflict, Quarantined
from hub.invocations import pinning
from hub.invocations.pinning import look
from hub.pins import keeping
from hub.pins.keeping import LOOK_EVERY
from hub.pins.tables import PinLookRow
from hub.registry import ConnectionChange, Environment, NewConnection, change_connection, create_connection
from hub.storage import now

pytestmark = pytest.mark.anyio

WRITES = {**FIND, "annotations": {"readOnlyHint": False}}
TAKES_MORE = {**FIND, "inputSchema": {**TEXT, "required": ["text", "folder"]}}
Slowed = tuple[asyncio.Event, asyncio.Event]
"""Says that the first look has its answer, and lets it go on."""


@pytest.fixture
def slowed(notes: Notes, monkeypatch: pytest.MonkeyPatch) -> Slowed:
    """Let the first look stand still once its server has answered."""
    executor = notes.hub.runtime.executor
    discover, answered, go_on = executor.discover, asyncio.Event(), asyncio.Event()

    async def slowly(*given: Any) -> Any:  # noqa: ANN401  # whatever a look finds
        found = await discover(*given)
        if not answered.is_set():
            answered.set()
            await go_on.wait()
        return found

    monkeypatch.setattr(executor, "discover", slowly)
    return answered, go_on


async def moved_to(notes: Notes, base_url: str) -> None:
    async with notes.hub.database.transaction() as tx:
        change = ConnectionChange(base_url=base_url)
        await change_connection(tx, notes.connection_id, change, notes.hub.authority)


async def accepted(notes: Notes, change: pins.Change) -> pins.Change:
    async with notes.hub.database.transaction() as tx:
        return await pins.accept(tx, change.id, change.digest, notes.authority("owner"))


def paused(after: Callable[..., Any], *others: asyncio.Event) -> tuple[Callable[..., Any], asyncio.Event]:
    """Return `after` so that it then waits a moment for `others`, and the event that says it is there."""
    there = asyncio.Event()

    async def slowly(*given: Any) -> Any:  # noqa: ANN401  # whatever it returns
        found = await after(*given)
        there.set()
        await asyncio.wait([asyncio.ensure_future(one.wait()) for one in others], timeout=1)
        return found

    return slowly, there


async def test_a_look_that_began_earlier_and_ends_later_lets_nothing_go(notes: Notes, slowed: Slowed) -> None:
    answered, go_on = slowed
    earlier = asyncio.create_task(notes.look())
    await answered.wait()
    notes.says(WRITES, POST)
    await notes.look()
    go_on.set()
    seen = await earlier

    with pytest.raises(Quarantined, match="changes something"):
        await notes.description()
    assert seen.waits is not None, "it has looked again"


async def test_a_look_by_a_clock_that_went_back_is_one_look_and_the_next_one_is_due(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    await notes.look()
    async with notes.hub.database.transaction() as tx:  # put on record by a clock that was ahead
        ahead = await now(tx) + timedelta(hours=1)
        await tx.execute(update(PinLookRow).values(looked_at=ahead, look_at=ahead + LOOK_EVERY))
    executor, asked = notes.hub.runtime.executor, list[object]()
    discover = executor.discover

    async def counted(*given: Any) -> Any:  # noqa: ANN401  # whatever a look finds
        asked.append(given)
        assert len(asked) == 1
        return await discover(*given)

    monkeypatch.setattr(executor, "discover", counted)

    async with notes.hub.database.transaction() as tx:
        assert await pins.take_looks(tx, 10) == [notes.connection_id]
    assert (await notes.look()).problem is None

    async with notes.hub.database.transaction() as tx:
        assert await pins.take_looks(tx, 10) == []


async def test_what_a_server_said_to_which_a_connection_leads_no_more_is_not_held_against_the_next(
    notes: Notes, slowed: Slowed
) -> None:
    answered, go_on = slowed
    notes.says(WRITES, POST)
    earlier = asyncio.create_task(notes.look())
    await answered.wait()
    await moved_to(notes, "http://127.0.0.1:9/mcp")
    go_on.set()
    seen = await earlier

    assert (seen.change, seen.problem is None) == (None, False), "it has looked at the other one"
    assert await notes.description() == "Finds notes."


@BOTH_ENGINES
async def test_accepting_while_a_look_holds_something_back_ends_well_for_both(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.says({**FIND, "description": "Finds any note."}, POST)
    change = (await notes.look()).change
    assert change is not None
    notes.says(TAKES_MORE, POST)
    holding = asyncio.Event()
    newest_release, accepting = paused(keeping.newest_release, holding)
    hold_back = keeping.hold_back

    async def held_back(*given: Any) -> None:  # noqa: ANN401  # whatever it is given
        await asyncio.wait([asyncio.ensure_future(accepting.wait())], timeout=1)
        await hold_back(*given)
        holding.set()

    monkeypatch.setattr(keeping, "newest_release", newest_release)
    monkeypatch.setattr(keeping, "hold_back", held_back)

    async with asyncio.timeout(60):
        seen, decided = await asyncio.gather(notes.look(), accepted(notes, change), return_exceptions=True)

    assert isinstance(seen, pinning.Seen)
    assert isinstance(decided, pins.Change | Conflict), decided


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_what_is_accepted_while_a_look_is_put_on_record_is_not_held_back_by_it(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.says(TAKES_MORE, POST)
    change = (await notes.look()).change
    assert change is not None
    propose, decided = pins.propose, list[pins.Change]()

    async def proposed(*given: Any) -> Any:  # noqa: ANN401  # whatever it returns
        if not decided:
            decided.append(await accepted(notes, change))
        return await propose(*given)

    monkeypatch.setattr(pins, "propose", proposed)
    await notes.look()

    assert decided[0].state is pins.State.ACCEPTED
    assert await notes.description() == "Finds notes."


@BOTH_ENGINES
async def test_of_two_changes_that_are_accepted_at_once_the_second_has_to_be_looked_at_again(
    notes: Notes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "other.json"
    file.write_text(json.dumps([{**FIND, "description": "Finds others."}, POST]))
    with running("upstream.unruly", "http", "told", str(file)) as (_, port):
        async with notes.hub.database.transaction() as tx:
            url = f"http://127.0.0.1:{port}/mcp"
            new = NewConnection(
                name="other", connector="notes", environment=Environment.DEV, base_url=url, prefix="other_"
            )
            other = await create_connection(tx, new, notes.hub.authority)
        notes.says({**FIND, "description": "Finds any."}, POST, {**POST, "name": "more"})
        first = (await notes.look()).change
        second = (await look(other.id, notes.hub.runtime)).change
    assert first is not None
    assert second is not None
    slowly, _ = paused(keeping.newest_release, asyncio.Event())
    monkeypatch.setattr(keeping, "newest_release", slowly)

    found = await asyncio.gather(accepted(notes, first), accepted(notes, second), return_exceptions=True)

    assert sorted(type(one).__name__ for one in found) == ["Change", "Conflict"]


@pytest.mark.parametrize("beside", ["prompts", "resources"])
async def test_what_is_long_beside_tools_is_made_ready_beside_the_loop(beside: str) -> None:
    long = [[[[[[1]]]]]] * 1000
    prompts = [{"name": f"a{at}", "arguments": long} for at in range(250)]
    resources = [{"uri": f"a://{at}", "name": "b", "annotations": long} for at in range(250)]
    server = Listing(prompts=prompts) if beside == "prompts" else Listing(resources=resources)

    found, share = await longest_wait(server.found(Owner(name="odd")))

    assert len(found.spec.operations) == 1
    assert share < 0.4


async def test_comparing_what_is_long_takes_no_thread_from_anybody_else(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, compared, begun = threading.Event(), pinning._compared, list[object]()

    def slowly(*given: Any) -> Any:  # noqa: ANN401  # whatever comes of it
        begun.append(given)
        go_on.wait()
        return compared(*given)

    monkeypatch.setattr(pinning, "_compared", slowly)
    looking = [asyncio.create_task(notes.look()) for _ in range(40)]
    while not begun:  # noqa: ASYNC110  # a thread says so
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # whatever threads they may have, they have by now
    try:
        async with asyncio.timeout(60):
            found = await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
    finally:
        go_on.set()
    await asyncio.gather(*looking)

    assert found
