"""Sweeping: what ended long ago goes, what is alive stays."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from hub.identity.enrolment import enrol
from hub.identity.principals import PrincipalKind
from hub.identity.sessions import open_session
from hub.identity.sweeping import sweep
from hub.identity.tables import AuthorizationCodeRow, GrantRow, RefreshTokenRow, SessionRow
from hub.storage import Database, now

pytestmark = pytest.mark.anyio


async def test_what_ended_long_ago_is_swept_and_what_is_alive_stays(database: Database) -> None:
    async with database.transaction() as tx:
        at = await now(tx)
        user = await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada")
        await open_session(tx, user)
        await tx.execute(update(SessionRow).values(expires_at=at - timedelta(days=2)))
        await open_session(tx, user)
        for name, ends in (("old", at - timedelta(days=2)), ("new", at + timedelta(days=2))):
            where = {"scopes": [], "resource": "r", "server": "s", "client_id": user}
            tx.add(GrantRow(id=f"grt_{name}", kind="x", created_at=at, expires_at=ends, **where))
            await tx.flush()
            tx.add(RefreshTokenRow(hash=name, grant_id=f"grt_{name}", created_at=at, expires_at=ends))
            tx.add(
                AuthorizationCodeRow(
                    hash=name,
                    user_id=user,
                    redirect_uri="u",
                    code_challenge="c",
                    authenticated_at=at,
                    expires_at=at - timedelta(days=2),
                    grant_id=f"grt_{name}",
                    **where,
                )
            )

    async with database.transaction() as tx:
        await sweep(tx)

    async with database.reading() as tx:
        for table in (SessionRow, GrantRow, RefreshTokenRow, AuthorizationCodeRow):
            assert await tx.scalar(select(func.count()).select_from(table)) == 1
