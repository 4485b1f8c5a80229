"""Web sessions: what ends them, what their cookie and token are worth, and where a login may lead."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hub.identity.enrolment import enrol
from hub.identity.principals import PrincipalKind
from hub.identity.sessions import (
    IDLE_LIFETIME,
    close_session,
    cookie_name,
    local_path,
    open_session,
    session_of,
    touch_session,
)
from hub.identity.tables import SessionRow
from hub.storage import Database, now


@pytest.fixture
async def cookie(database: Database) -> str:
    async with database.transaction() as tx:
        return await open_session(tx, await enrol(tx, kind=PrincipalKind.USER, name="ada", display_name="Ada"))


@pytest.mark.anyio
async def test_a_cookie_leads_to_its_session_and_is_not_in_the_database(database: Database, cookie: str) -> None:
    async with database.reading() as tx:
        session = await session_of(tx, cookie)
        row = (await tx.scalars(select(SessionRow))).one()
        assert cookie not in {row.id, row.cookie_hash}

    assert session is not None
    assert (session.principal.name, session.caller.actor) == ("ada", session.principal)


@pytest.mark.anyio
@pytest.mark.parametrize("other", [None, "", "ses_guess", "x" * 5000])
async def test_another_cookie_leads_nowhere(database: Database, cookie: str, other: str | None) -> None:
    async with database.reading() as tx:
        assert await session_of(tx, other) is None
        assert await session_of(tx, cookie) is not None


@pytest.mark.anyio
@pytest.mark.parametrize("column", ["idle_until", "expires_at"])
async def test_a_session_ends_by_idleness_and_by_age(database: Database, cookie: str, column: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(update(SessionRow).values({column: await now(tx)}))

    async with database.transaction() as tx:
        assert await session_of(tx, cookie) is None
        await touch_session(tx, (await tx.scalars(select(SessionRow.id))).one())
        assert await session_of(tx, cookie) is None  # what has ended is not brought back


@pytest.mark.anyio
async def test_use_prolongs_a_session_but_never_beyond_its_age(database: Database, cookie: str) -> None:
    async with database.transaction() as tx:
        at = await now(tx)
        soon = at + timedelta(minutes=5)
        await tx.execute(update(SessionRow).values(idle_until=soon, expires_at=soon))
        session = await session_of(tx, cookie)
        assert session is not None
        assert session.needs_touch
        await touch_session(tx, session.id)

    async with database.reading() as tx:
        row = (await tx.scalars(select(SessionRow))).one()
        assert row.idle_until >= at + IDLE_LIFETIME
        assert row.expires_at == soon


@pytest.mark.anyio
async def test_a_fresh_session_needs_no_touch(database: Database, cookie: str) -> None:
    async with database.reading() as tx:
        session = await session_of(tx, cookie)

    assert session is not None
    assert not session.needs_touch


@pytest.mark.anyio
async def test_a_closed_session_is_gone(database: Database, cookie: str) -> None:
    async with database.transaction() as tx:
        await close_session(tx, cookie)
        await close_session(tx, cookie)

    async with database.reading() as tx:
        assert await session_of(tx, cookie) is None


@pytest.mark.anyio
async def test_a_form_needs_the_token_of_its_own_session(database: Database, cookie: str) -> None:
    async with database.transaction() as tx:
        session = await session_of(tx, cookie)
        assert session is not None
        other = await session_of(tx, await open_session(tx, session.principal.id))

    assert other is not None
    assert session.accepts(session.csrf_token)
    assert not session.accepts(other.csrf_token)
    assert not session.accepts("")
    assert not session.accepts("é")


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        " //evil.example",
        "///evil.example",
        "/\u2028/evil",
    ],
)
def test_a_login_never_leads_away_from_the_hub(target: str | None) -> None:
    assert local_path(target) == "/"


@pytest.mark.parametrize("target", ["/", "/approvals", "/consent/azr_1?x=//y", "/tools?q=a%20b#top"])
def test_a_login_leads_back_to_where_the_person_was_going(target: str) -> None:
    assert local_path(target) == target


def test_the_cookie_is_bound_to_the_host_wherever_there_is_https() -> None:
    assert cookie_name("https://hub.example") == "__Host-hub_session"
    assert cookie_name("http://127.0.0.1:8000") == "hub_session"
