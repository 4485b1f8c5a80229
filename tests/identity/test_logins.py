"""Logging in: throttled, silent about what was wrong, and on record."""

import time

import anyio
import pytest
from sqlalchemy import select, update

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.identity.accounts import NewUser, create_user, set_password, suspend
from hub.identity.authority import Authority
from hub.identity.enrolment import enrol
from hub.identity.logins import FREE_FAILURES_PER_NAME, LoggedIn, Login, LoginRefused, log_in
from hub.identity.passwords import hash_password, matches
from hub.identity.principals import PrincipalKind
from hub.identity.sessions import session_of
from hub.identity.tables import FailedLoginRow
from hub.keys import Keyring
from hub.storage import Database, now

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"
WRONG = "wrong horse battery"


@pytest.fixture
async def ada(database: Database, keys: Keyring) -> str:
    async with database.transaction() as tx:
        new = NewUser(name="ada", display_name="Ada", password=PASSWORD)
        return (await create_user(tx, new, Authority(database=database, keys=keys))).id


async def attempt(
    database: Database, keys: Keyring, password: str, *, name: str = "ada", source: str | None = None
) -> LoggedIn | LoginRefused:
    return await log_in(database, keys, Login(name=name, password=password, source=source))


async def unblock(database: Database) -> None:
    """Let the time pass until the next attempt is allowed."""
    async with database.transaction() as tx:
        await tx.execute(update(FailedLoginRow).values(blocked_until=await now(tx)))


async def test_the_right_password_opens_a_session(database: Database, keys: Keyring, ada: str) -> None:
    outcome = await attempt(database, keys, PASSWORD, name="ADA")

    assert isinstance(outcome, LoggedIn)
    async with database.reading() as tx:
        session = await session_of(tx, outcome.cookie)
    assert session is not None
    assert session.principal.id == ada


async def test_a_new_login_takes_the_place_of_the_old_session(database: Database, keys: Keyring, ada: str) -> None:
    first = await attempt(database, keys, PASSWORD)
    assert isinstance(first, LoggedIn)

    second = await log_in(database, keys, Login(name="ada", password=PASSWORD, replaces=first.cookie))

    assert isinstance(second, LoggedIn)
    async with database.reading() as tx:
        assert await session_of(tx, first.cookie) is None
        assert await session_of(tx, second.cookie) is not None
    assert ada == second.principal.id


async def test_the_same_password_typed_on_another_keyboard_is_right(database: Database, keys: Keyring) -> None:
    async with database.transaction() as tx:
        new = NewUser(name="zoe", display_name="Zoë", password="caf\u00e9 caf\u00e9 caf\u00e9")
        await create_user(tx, new, Authority(database=database, keys=keys))

    assert isinstance(await attempt(database, keys, "cafe\u0301 cafe\u0301 cafe\u0301", name="zoe"), LoggedIn)


async def test_every_refusal_reads_the_same(database: Database, keys: Keyring, ada: str) -> None:
    authority = Authority(database=database, keys=keys)
    async with database.transaction() as tx:
        await enrol(tx, kind=PrincipalKind.AGENT, name="robot", display_name="Robot", owner_id=ada)
    wrong = await attempt(database, keys, WRONG)
    unknown = await attempt(database, keys, PASSWORD, name="nobody")
    agent = await attempt(database, keys, PASSWORD, name="robot")
    absurd = await attempt(database, keys, "x" * 10_000, name="y" * 10_000)
    impossible = await attempt(database, keys, "\x00\ud800", name="ada\x00\ud800")
    async with database.transaction() as tx:
        await suspend(tx, ada, "left", authority)
    suspended = await attempt(database, keys, PASSWORD)

    assert {repr(outcome) for outcome in (wrong, unknown, agent, absurd, impossible, suspended)} == {
        repr(LoginRefused(message="Wrong name or password."))
    }


async def test_an_unknown_name_is_not_told_by_how_long_the_answer_takes() -> None:
    hashed = await hash_password(PASSWORD)

    async def quickest(stored: str | None) -> float:
        await matches(WRONG, stored)
        took = list[float]()
        for _ in range(3):
            start = time.perf_counter()
            assert not await matches(WRONG, stored)
            took.append(time.perf_counter() - start)
        return min(took)

    assert await quickest(None) > await quickest(hashed) / 3


@pytest.mark.parametrize("name", ["ada", "nobody"])
async def test_after_some_failures_a_name_has_to_wait_whether_it_exists_or_not(
    database: Database, keys: Keyring, ada: str, name: str
) -> None:
    for _ in range(FREE_FAILURES_PER_NAME):
        assert await attempt(database, keys, WRONG, name=name) == LoginRefused(message="Wrong name or password.")

    blocked = await attempt(database, keys, PASSWORD, name=name)

    assert isinstance(blocked, LoginRefused)
    assert blocked.retry_after_seconds is not None
    assert ada


async def test_the_wait_grows_up_to_a_limit_and_a_right_password_ends_it(
    database: Database, keys: Keyring, ada: str
) -> None:
    async with database.transaction() as tx:
        await tx.execute(update(FailedLoginRow).values(failures=0))
    await attempt(database, keys, WRONG)
    async with database.transaction() as tx:
        await tx.execute(update(FailedLoginRow).values(failures=1_000))
    await attempt(database, keys, WRONG)

    blocked = await attempt(database, keys, PASSWORD)
    assert isinstance(blocked, LoginRefused)
    assert 200 < (blocked.retry_after_seconds or 0) <= 300
    await unblock(database)
    assert isinstance(await attempt(database, keys, PASSWORD), LoggedIn)
    assert isinstance(await attempt(database, keys, PASSWORD), LoggedIn)
    assert ada


async def test_many_attempts_at_once_count_as_many(database: Database, keys: Keyring, ada: str) -> None:
    outcomes = list[LoggedIn | LoginRefused]()

    async def guess() -> None:
        outcomes.append(await attempt(database, keys, WRONG))

    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(guess)

    waiting = [o for o in outcomes if isinstance(o, LoginRefused) and o.retry_after_seconds is not None]
    assert len(waiting) == 12 - FREE_FAILURES_PER_NAME
    assert ada


async def test_guessing_many_names_from_one_place_is_throttled_too(database: Database, keys: Keyring, ada: str) -> None:
    await attempt(database, keys, WRONG, name="nobody", source="192.0.2.7")
    async with database.transaction() as tx:
        await tx.execute(update(FailedLoginRow).values(failures=30))
    await attempt(database, keys, WRONG, name="somebody", source="192.0.2.7")

    blocked = await attempt(database, keys, PASSWORD, source="192.0.2.7")
    elsewhere = await attempt(database, keys, PASSWORD, source="192.0.2.8")

    assert isinstance(blocked, LoginRefused)
    assert isinstance(elsewhere, LoggedIn)
    assert ada


async def test_a_new_password_ends_every_session_and_the_old_one_is_worth_nothing(
    database: Database, keys: Keyring, ada: str
) -> None:
    before = await attempt(database, keys, PASSWORD)
    assert isinstance(before, LoggedIn)

    async with database.transaction() as tx:
        await set_password(tx, ada, "another horse battery", Authority(database=database, keys=keys))

    async with database.reading() as tx:
        assert await session_of(tx, before.cookie) is None
    assert isinstance(await attempt(database, keys, PASSWORD), LoginRefused)
    assert isinstance(await attempt(database, keys, "another horse battery"), LoggedIn)


async def test_logins_are_on_record_without_the_password_or_the_address(
    database: Database, keys: Keyring, ada: str
) -> None:
    await attempt(database, keys, WRONG, source="192.0.2.7")
    await attempt(database, keys, PASSWORD, source="192.0.2.7")

    async with database.reading() as tx:
        kinds = {EventKind.LOGIN_FAILED.value, EventKind.LOGIN_SUCCEEDED.value}
        events = (await tx.scalars(select(EventRow).where(EventRow.kind.in_(kinds)).order_by(EventRow.at))).all()
        assert [(event.kind, event.subject) for event in events] == [("login.failed", ada), ("login.succeeded", ada)]
        text = b"".join(event.body for event in events).decode()
    assert "192.0.2.7" not in text
    assert "horse" not in text
