"""Logging in: throttled, silent about what was wrong, and on record."""

import json
import time
import unicodedata
from datetime import timedelta

import anyio
import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from hub.audit import EventKind
from hub.audit.tables import EventRow
from hub.identity.accounts import NewUser, create_user, set_password, suspend
from hub.identity.authority import Authority
from hub.identity.enrolment import enrol
from hub.identity.login_budgets import (
    OF_A_KNOWN_BROWSER,
    OF_A_NAME,
    OF_A_NAME_FROM_A_SOURCE,
    OF_A_SOURCE,
    Budget,
    charges,
    spend,
)
from hub.identity.logins import LoggedIn, Login, LoginRefused, log_in
from hub.identity.passwords import MAX_LENGTH, hash_password, matches
from hub.identity.principals import PrincipalKind
from hub.identity.sessions import session_of
from hub.identity.tables import AuthorizationCodeRow, GrantRow, LoginBudgetRow, PasswordRow
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


async def attempt(database: Database, keys: Keyring, password: str, **more: str) -> LoggedIn | LoginRefused:
    """Try `password` as Ada, in a browser without a mark, unless `more` of a login says otherwise."""
    return await log_in(database, keys, Login(**{"name": "ada", "password": password, **more}))


async def let_pass(database: Database, time: timedelta) -> None:
    """Let time pass: what was spent comes back."""
    async with database.transaction() as tx:
        for row in await tx.scalars(select(LoginBudgetRow)):
            row.full_at -= time


async def known_browser(database: Database, keys: Keyring) -> str:
    """Return the mark of a browser in which Ada has logged in."""
    outcome = await attempt(database, keys, PASSWORD, source="192.0.2.1")
    assert isinstance(outcome, LoggedIn)
    return outcome.mark


def is_waiting(outcome: LoggedIn | LoginRefused) -> bool:
    return isinstance(outcome, LoginRefused) and outcome.retry_after_seconds is not None


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
    for _ in range(OF_A_NAME_FROM_A_SOURCE.at_once):
        assert await attempt(database, keys, WRONG, name=name) == LoginRefused(message="Wrong name or password.")

    blocked = await attempt(database, keys, PASSWORD, name=name)

    assert isinstance(blocked, LoginRefused)
    assert 200 < (blocked.retry_after_seconds or 0) <= 240
    assert ada


async def test_whoever_tries_while_waiting_does_not_wait_longer_for_it(
    database: Database, keys: Keyring, ada: str
) -> None:
    budget = OF_A_NAME_FROM_A_SOURCE
    for _ in range(budget.at_once + 5):
        await attempt(database, keys, WRONG, source="192.0.2.1")
    await let_pass(database, budget.comes_back)

    assert isinstance(await attempt(database, keys, PASSWORD, source="192.0.2.1"), LoggedIn)
    assert ada


async def test_a_stranger_cannot_keep_somebody_out(database: Database, keys: Keyring, ada: str) -> None:
    """From one source, for a day: as often as it is let, at a name that its owner uses from elsewhere, afresh."""
    let_through = 0
    for _ in range(OF_A_NAME_FROM_A_SOURCE.at_once + 1):
        let_through += not is_waiting(await attempt(database, keys, WRONG, source="198.51.100.9"))
    for _ in range(12):
        await let_pass(database, OF_A_NAME_FROM_A_SOURCE.comes_back)
        let_through += not is_waiting(await attempt(database, keys, WRONG, source="198.51.100.9"))
        assert is_waiting(await attempt(database, keys, WRONG, source="198.51.100.9"))

    assert let_through == OF_A_NAME_FROM_A_SOURCE.at_once + 12
    assert isinstance(await attempt(database, keys, PASSWORD, source="192.0.2.1"), LoggedIn)
    assert ada


def test_one_source_cannot_use_up_what_all_of_them_have_for_a_name() -> None:
    def an_hour(budget: Budget) -> float:
        return timedelta(hours=1) / budget.comes_back

    assert an_hour(OF_A_NAME_FROM_A_SOURCE) * 10 <= an_hour(OF_A_NAME)
    assert OF_A_NAME_FROM_A_SOURCE.at_once * 10 <= OF_A_NAME.at_once


async def test_many_sources_cannot_keep_somebody_out_of_the_browser_they_use(
    database: Database, keys: Keyring, ada: str
) -> None:
    mark = await known_browser(database, keys)
    await use_up(database, OF_A_NAME, keys)

    stranger = await attempt(database, keys, PASSWORD, source="192.0.2.1")
    forged = await attempt(database, keys, PASSWORD, source="192.0.2.1", mark=f"x{mark}")
    hers = await attempt(database, keys, PASSWORD, source="192.0.2.1", mark=mark)

    assert is_waiting(stranger)
    assert is_waiting(forged)
    assert isinstance(hers, LoggedIn)
    assert ada


async def use_up(database: Database, budget: Budget, keys: Keyring) -> None:
    """Let strangers, each from a place of its own, try as often as a name allows."""
    await attempt(database, keys, WRONG, source="198.51.100.1")
    async with database.transaction() as tx:
        later = await now(tx) + budget.comes_back * budget.at_once
        await tx.execute(update(LoginBudgetRow).values(full_at=later))


async def test_a_known_browser_may_not_guess_for_ever_either_and_knows_one_person_only(
    database: Database, keys: Keyring, ada: str
) -> None:
    mark = await known_browser(database, keys)
    for _ in range(OF_A_KNOWN_BROWSER.at_once):
        assert not is_waiting(await attempt(database, keys, WRONG, mark=mark))
    for _ in range(OF_A_NAME_FROM_A_SOURCE.at_once):
        assert not is_waiting(await attempt(database, keys, WRONG, name="zoe", mark=mark))

    assert is_waiting(await attempt(database, keys, PASSWORD, mark=mark))
    assert is_waiting(await attempt(database, keys, PASSWORD, name="zoe", mark=mark))
    assert isinstance(await attempt(database, keys, PASSWORD, source="192.0.2.1"), LoggedIn)
    assert ada


async def test_with_a_new_password_every_browser_is_a_stranger_again(
    database: Database, keys: Keyring, ada: str
) -> None:
    mark = await known_browser(database, keys)
    async with database.transaction() as tx:
        await set_password(tx, ada, "another horse battery", Authority(database=database, keys=keys))
    await use_up(database, OF_A_NAME, keys)

    assert is_waiting(await attempt(database, keys, "another horse battery", mark=mark))


async def test_a_right_password_ends_the_wait_of_its_browser(database: Database, keys: Keyring, ada: str) -> None:
    for _ in range(OF_A_NAME_FROM_A_SOURCE.at_once - 1):
        await attempt(database, keys, WRONG)

    assert isinstance(await attempt(database, keys, PASSWORD), LoggedIn)

    for _ in range(OF_A_NAME_FROM_A_SOURCE.at_once):
        assert not is_waiting(await attempt(database, keys, WRONG))
    assert ada


async def test_many_attempts_at_once_count_as_many(database: Database, keys: Keyring, ada: str) -> None:
    outcomes = list[LoggedIn | LoginRefused]()

    async def guess() -> None:
        outcomes.append(await attempt(database, keys, WRONG))

    async with anyio.create_task_group() as group:
        for _ in range(OF_A_NAME_FROM_A_SOURCE.at_once + 4):
            group.start_soon(guess)

    assert sum(is_waiting(outcome) for outcome in outcomes) == 4
    assert ada


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("2001:db8:0:1::7", "2001:db8:0:1:ffff::8", "2001:db8:0:2::7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "::ffff:192.0.2.8"),
    ],
)
async def test_guessing_many_names_from_one_place_is_throttled_too(
    database: Database, keys: Keyring, one: str, same: str, other: str
) -> None:
    async with database.transaction() as tx:
        for number in range(OF_A_SOURCE.at_once):
            assert await spend(tx, charges(f"nobody{number}", source=one, browser=None)) is None

        assert await spend(tx, charges("ada", source=same, browser=None)) is not None
        assert await spend(tx, charges("ada", source=other, browser=None)) is None
    assert keys


async def test_a_right_password_now_and_then_buys_no_more_guesses_at_others(
    database: Database, keys: Keyring, ada: str
) -> None:
    for number in range(OF_A_SOURCE.at_once - 1):
        async with database.transaction() as tx:
            await spend(tx, charges(f"nobody{number}", source="192.0.2.7", browser=None))
    assert isinstance(await attempt(database, keys, PASSWORD, source="192.0.2.7"), LoggedIn)

    assert not is_waiting(await attempt(database, keys, WRONG, name="zoe", source="192.0.2.7"))
    assert is_waiting(await attempt(database, keys, WRONG, name="zoe", source="192.0.2.7"))
    assert ada


async def test_a_password_typed_in_parts_is_right_however_long_its_parts_are(database: Database, keys: Keyring) -> None:
    password = "\uac00\ub098\ub2e4\ub77c\ub9c8\ubc14\uc0ac" * 36
    in_parts = unicodedata.normalize("NFD", password)
    assert len(password) <= MAX_LENGTH < len(in_parts)
    async with database.transaction() as tx:
        new = NewUser(name="kim", display_name="Kim", password=in_parts)
        await create_user(tx, new, Authority(database=database, keys=keys))

    assert isinstance(await attempt(database, keys, in_parts, name="kim"), LoggedIn)
    assert isinstance(await attempt(database, keys, password, name="kim"), LoggedIn)


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


async def test_a_new_password_ends_what_agents_hold_and_keeps_the_one_session_it_was_set_in(
    database: Database, keys: Keyring, ada: str
) -> None:
    here, elsewhere = await attempt(database, keys, PASSWORD), await attempt(database, keys, PASSWORD)
    assert isinstance(here, LoggedIn)
    assert isinstance(elsewhere, LoggedIn)
    await grant_and_code(database, ada)

    async with database.transaction() as tx:
        session = await session_of(tx, here.cookie)
        assert session is not None
        authority = Authority(database=database, keys=keys, by=ada)
        await set_password(tx, ada, "another horse battery", authority, keep_session=session.id)

    async with database.reading() as tx:
        assert await session_of(tx, here.cookie) is not None
        assert await session_of(tx, elsewhere.cookie) is None
        assert (await tx.scalars(select(GrantRow.revoked_reason))).one() == "password changed"
        assert (await tx.scalars(select(AuthorizationCodeRow.expires_at))).one() <= await now(tx)
        kinds = (EventKind.TOKEN_REVOKED.value, EventKind.ACCOUNT_CHANGED.value)
        events = (await tx.scalars(select(EventRow).where(EventRow.kind.in_(kinds)).order_by(EventRow.at))).all()
    assert {(event.kind, event.subject) for event in events} == {(kinds[0], "grt_1"), (kinds[1], ada)}
    changed = next(json.loads(event.body)["facts"] for event in events if event.kind == kinds[1])
    ended = {"sessions_ended": "1", "grants_revoked": "1", "accounts_unlinked": "0"}
    assert changed == {"changed": "password"} | ended


async def grant_and_code(database: Database, user: str) -> None:
    """Let an agent hold a grant of the user's, and a code that it has not used yet."""
    async with database.transaction() as tx:
        agent = await enrol(tx, kind=PrincipalKind.AGENT, name="robot", display_name="Robot", owner_id=user)
        at = await now(tx)
        shared = {"client_id": agent, "user_id": user, "scopes": [], "resource": "r", "server": "s"}
        until = {"authenticated_at": at, "expires_at": at + timedelta(days=1)}
        tx.add(GrantRow(id="grt_1", kind="authorization_code", created_at=at, **shared, **until))
        tx.add(AuthorizationCodeRow(hash="h", redirect_uri="u", code_challenge="c", **shared, **until))


async def test_a_login_that_was_under_way_does_not_bring_the_old_password_back(
    database: Database, keys: Keyring, ada: str
) -> None:
    async with database.transaction() as tx:
        weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
        await tx.execute(update(PasswordRow).values(hash=weak))
    outcomes = list[LoggedIn | LoginRefused]()

    async def come_in() -> None:
        outcomes.append(await attempt(database, keys, PASSWORD))

    async with anyio.create_task_group() as group:
        group.start_soon(come_in)
        async with database.transaction() as tx:
            await set_password(tx, ada, "another horse battery", Authority(database=database, keys=keys))

    assert isinstance(await attempt(database, keys, "another horse battery"), LoggedIn)
    assert isinstance(await attempt(database, keys, PASSWORD), LoginRefused)
    for outcome in outcomes:
        async with database.reading() as tx:
            assert not isinstance(outcome, LoggedIn) or await session_of(tx, outcome.cookie) is None


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
