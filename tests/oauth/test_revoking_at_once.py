"""Those who stop tokens at the same moment: none waits for the other for ever, and none undoes what another ended."""

import asyncio

import pytest
from oauth_hub import Hub
from sqlalchemy import text
from test_exchange import Two, exchanged, two

from hub.identity import leave_ends
from hub.identity.access_tokens import read_access_token
from hub.identity.authority import Authority
from hub.identity.grants import BY_ITS_CLIENT, revoke_grant
from hub.identity.grants_consent import withdraw_consent
from hub.identity.leave_ends import end_leave, has_leave_ended
from hub.storage import Database, Tx, now

__all__ = ["two"]
pytestmark = pytest.mark.anyio
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


async def somebody_waits(database: Database) -> None:
    """Return once a transaction waits for a lock."""
    while True:
        async with database.reading() as tx:
            if await tx.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")):
                return
        await asyncio.sleep(0.01)


@POSTGRESQL
async def test_leave_is_taken_back_while_what_came_of_it_by_exchange_is_revoked(
    two: Two,  # the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = read_access_token((await exchanged(two))["access_token"], two.first.server.keys).grant_id
    hub, bumped, go_on = two.first, asyncio.Event(), asyncio.Event()
    outdate = Authority.outdate_callers

    async def outdated(self: Authority, tx: Tx) -> None:
        await outdate(self, tx)
        if not bumped.is_set():
            bumped.set()
            await go_on.wait()

    monkeypatch.setattr(Authority, "outdate_callers", outdated)

    async def takes_back() -> None:
        async with hub.database.transaction() as tx:
            await withdraw_consent(tx, hub.ada.id, hub.agent.id, hub.authority)

    async def logs_out() -> None:
        async with hub.database.transaction() as tx:
            await revoke_grant(tx, child, BY_ITS_CLIENT, hub.authority)

    first = asyncio.create_task(takes_back())
    await bumped.wait()
    second = asyncio.create_task(logs_out())
    await somebody_waits(hub.database)
    go_on.set()

    assert await asyncio.gather(first, second, return_exceptions=True) == [None, None]


@POSTGRESQL
async def test_an_end_of_leave_never_goes_back_in_time(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    told, go_on = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> object:
        at = await now(tx)
        if not told.is_set():
            told.set()
            await go_on.wait()
        return at

    monkeypatch.setattr(leave_ends, "now", slow)

    async def ends() -> None:
        async with hub.database.transaction() as tx:
            await end_leave(tx, user_id=hub.ada.id, client_id=hub.agent.id)

    first = asyncio.create_task(ends())
    await told.wait()
    async with hub.database.reading() as tx:
        asked_at = await now(tx)
    await ends()
    go_on.set()
    await first

    async with hub.database.reading() as tx:
        assert await has_leave_ended(tx, hub.ada.id, [hub.agent.id], since=asked_at)
