"""Sessions of the web: hard to guess a way into, kept alive by people, not by pages that ask again by themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from web_visitor import Visitor
from world import PASSWORD, World

from hub.identity.tables import LoginBudgetRow, SessionRow

pytestmark = pytest.mark.anyio


async def test_a_page_that_asks_again_by_itself_does_not_keep_the_session_alive(world: World, ann: Visitor) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=30)
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(SessionRow).values(idle_until=soon))

    await ann.get("/approvals", hx_request="true", hx_trigger="inbox")
    assert await idle_until(world) == soon
    await ann.get("/approvals")

    assert await idle_until(world) > soon


async def test_guessing_is_slowed_down(world: World, visitor: Visitor) -> None:
    await visitor.log_in("ann", "not the password!")
    async with world.runtime.database.transaction() as tx:
        await tx.execute(update(LoginBudgetRow).values(full_at=datetime.now(UTC) + timedelta(minutes=39)))

    await visitor.log_in("ann", PASSWORD)

    assert visitor.page.status_code == 429
    assert 0 < int(visitor.page.headers["retry-after"]) <= 600
    assert "Too many failed attempts" in visitor.html


async def idle_until(world: World) -> datetime:
    """Return when the one session ends if nobody uses it."""
    async with world.runtime.database.reading() as tx:
        return (await tx.scalars(select(SessionRow.idle_until))).one()
