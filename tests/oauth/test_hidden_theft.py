"""A thief that logs out does not hide the theft: what it asked for ends as soon as the code or token comes twice."""

from datetime import datetime

import pytest
from oauth_hub import Hub, error_in
from sqlalchemy import select

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.identity.leave_ends import has_leave_ended
from hub.storage import now

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def log_out(hub: Hub, token: str) -> None:
    form = {"client_id": hub.agent.id, "client_secret": hub.secret, "token": token}
    assert (await hub.http.post("/oauth/revoke", data=form)).status_code == 200


async def moment(hub: Hub) -> datetime:
    async with hub.database.reading() as tx:
        return await now(tx)


async def ended(hub: Hub, since: datetime) -> bool:
    async with hub.database.reading() as tx:
        return await has_leave_ended(tx, hub.ada.id, [hub.agent.id], since=since)


async def detected(hub: Hub) -> bool:
    async with hub.database.reading() as tx:
        kinds = list(await tx.scalars(select(EventRow.kind)))
    return EventKind.TOKEN_REUSE_DETECTED.value in kinds


async def test_a_replayed_code_ends_leave_although_the_first_to_use_it_has_logged_out(hub: Hub) -> None:
    code = await hub.code()
    stolen = (await hub.redeem(code)).json()  # the thief was first
    asked_at = await moment(hub)  # and asks for writes now
    await log_out(hub, stolen["access_token"])

    assert error_in(await hub.redeem(code)) == "invalid_grant"  # the right client comes with its code
    assert await detected(hub)
    assert await ended(hub, asked_at)


async def test_a_replayed_refresh_token_ends_leave_although_the_thief_has_logged_out(hub: Hub) -> None:
    tokens = (await hub.redeem(await hub.code())).json()
    stolen = (await hub.refresh(tokens["refresh_token"])).json()
    asked_at = await moment(hub)
    await log_out(hub, stolen["access_token"])

    assert error_in(await hub.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert await detected(hub)
    assert await ended(hub, asked_at)


async def test_what_was_asked_by_leave_that_was_given_since_does_not_end_by_the_same_replay(hub: Hub) -> None:
    code = await hub.code()
    stolen = (await hub.redeem(code)).json()
    await log_out(hub, stolen["access_token"])
    await hub.redeem(code)
    asked_at = await moment(hub)  # by leave that the person has given meanwhile

    assert error_in(await hub.redeem(code)) == "invalid_grant"
    assert error_in(await hub.refresh(stolen["refresh_token"])) == "invalid_grant"
    assert not await ended(hub, asked_at)


async def test_a_client_that_logs_out_and_tries_its_newest_token_stole_nothing(hub: Hub) -> None:
    tokens = (await hub.redeem(await hub.code())).json()
    asked_at = await moment(hub)
    await log_out(hub, tokens["access_token"])

    assert error_in(await hub.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert not await detected(hub)
    assert not await ended(hub, asked_at)
