"""Kill switches that several people turn at the same moment: each is told the truth, and the last one counts."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from dawdling import first_reader_of
from meeting import waits_or_ends
from sqlalchemy import select

from hub.audit.tables import EventRow
from hub.budgets import Brakes, StopKind, lift_stop, set_stop
from hub.budgets.tables import StopRow
from hub.identity.authority import Authority
from hub.keys import Keyring
from hub.storage import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(postgresql_url: str) -> AsyncGenerator[Database]:
    """Only here do two transactions write at the same time."""
    opened = Database(postgresql_url)
    yield opened
    await opened.close()


@pytest.fixture
def authority(database: Database, keys: Keyring) -> Authority:
    return Authority(database=database, keys=keys)


async def turn_on(authority: Authority, reason: str) -> None:
    async with authority.database.transaction() as tx:
        await set_stop(tx, StopKind.HUB, "", reason, authority)


async def reasons(database: Database) -> list[str]:
    async with database.reading() as tx:
        return list(await tx.scalars(select(StopRow.reason)))


async def test_everybody_who_turns_it_on_at_once_is_told_that_it_is_on(
    database: Database, authority: Authority
) -> None:
    await asyncio.gather(*(turn_on(authority, f"reason {number}") for number in range(4)))

    (reason,) = await reasons(database)
    assert reason.startswith("reason ")
    async with database.reading() as tx:
        events = select(EventRow.kind).where(EventRow.kind.startswith("stop."))
        assert list(await tx.scalars(events)) == ["stop.set"] * 4


async def test_who_turns_it_on_while_it_is_lifted_leaves_it_on(database: Database, authority: Authority) -> None:
    await turn_on(authority, "We look into it.")
    async with database.transaction() as tx:
        await lift_stop(tx, StopKind.HUB, "", authority)
        again = asyncio.create_task(turn_on(authority, "We look into it."))
        await waits_or_ends(database, again)

    await again

    assert await reasons(database) == ["We look into it."]


async def test_who_read_before_it_was_turned_on_and_hears_of_it_later_does_not_let_calls_through(
    database: Database, authority: Authority
) -> None:
    brakes = Brakes(database, clock=lambda: 0.0)
    with first_reader_of(database, "stops") as held:
        slow = asyncio.create_task(brakes.limits())
        await held.has_read.wait()
        await turn_on(authority, "We look into it.")
        await brakes.limits()
        held.may_go.set()
        await slow

    (stop,) = await brakes.stops(agent_id="agt_1", tool_id="tol_1", connection_id="con_1")
    assert stop.reason == "We look into it."
