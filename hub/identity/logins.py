"""Logging in with a name and a password: throttled in the database, and silent about which of the two was wrong."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update

from hub.audit import EventKind
from hub.identity.authority import Authority
from hub.identity.directory import find
from hub.identity.known_browsers import knows, marked
from hub.identity.login_budgets import Charge, charges, refund, spend
from hub.identity.passwords import hash_password, matches, needs_new_hash
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.sessions import close_session, open_session
from hub.identity.tables import PasswordRow
from hub.keys import Keyring
from hub.storage import Database, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Somebody's attempt to log in.

    `source` is the address it came from, `replaces` the session's cookie it had before, `mark` the cookie by which a
    browser is known.
    """

    name: str
    password: str = field(repr=False)
    source: str | None = None
    replaces: str | None = field(default=None, repr=False)
    mark: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """Who it is, the value of the new session's cookie, and the mark by which the browser is known from now on."""

    principal: Principal
    cookie: str = field(repr=False)
    mark: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused:
    """What to tell the person; after too many failures, also when to try again."""

    message: str
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """What a name stands for: nothing, unless it is a user's with a local password."""

    user: Principal | None = None
    hashed: str | None = field(default=None, repr=False)
    since: datetime | None = None


async def log_in(database: Database, keys: Keyring, login: Login) -> LoggedIn | LoginRefused:
    """Check a name and a password and, if they are right, open a web session.

    It opens its own transactions, for two reasons: the attempt is on record before the password is looked at, so that
    a thousand attempts at once count as a thousand; and no transaction waits for argon2. The same call is the fresh
    login that a critical decision needs: a new session takes the place of the one in `replaces`.
    """
    async with database.transaction() as tx:
        account = await _account(tx, login.name)
        spent = await _charges(tx, keys, login, account)
        wait = await spend(tx, spent)
    if wait is not None:
        return LoginRefused(message=f"Too many failed attempts. Try again in {wait} seconds.", retry_after_seconds=wait)
    user, hashed = account.user, account.hashed
    is_right = await matches(login.password, hashed)  # without an account it takes as long
    authority = Authority(database=database, keys=keys, by=user.id if user and is_right else None)
    if user is None or hashed is None or not is_right or user.is_suspended:
        async with database.transaction() as tx:
            await authority.record(tx, EventKind.LOGIN_FAILED, user.id if user else "unknown", source=login.source)
        return LoginRefused(message="Wrong name or password.")
    new_hash = await hash_password(login.password) if needs_new_hash(hashed) else hashed
    async with database.transaction() as tx:
        # Its row is locked, and only if the password is still this one: a new one set meanwhile stays, and wins.
        still = update(PasswordRow).where(PasswordRow.principal_id == user.id, PasswordRow.hash == hashed)
        is_still = await tx.scalar(still.values(hash=new_hash).returning(PasswordRow.principal_id)) is not None
        if not is_still or (await _account(tx, login.name)).user != user:
            return LoginRefused(message="This account has just changed. Try again.")
        await refund(tx, spent)
        return await _welcome(tx, login, user, authority)


async def enter(
    tx: Tx, keys: Keyring, user: Principal, mark: str | None, *, authenticated_at: datetime | None = None
) -> LoggedIn:
    """Open a session for somebody who has just proved who they are, in the browser that carries `mark` or none yet.

    Who did so elsewhere did it at `authenticated_at`.
    """
    cookie = await open_session(tx, user.id, authenticated_at=authenticated_at)
    return LoggedIn(principal=user, cookie=cookie, mark=await marked(tx, keys, mark, user.id))


async def has_password(tx: Tx, principal_id: str) -> bool:
    """Return whether somebody can log in here with a password of their own."""
    return await tx.get(PasswordRow, principal_id) is not None


async def _charges(tx: Tx, keys: Keyring, login: Login, account: _Account) -> list[Charge]:
    browser = await knows(tx, keys, login.mark, account.user.id) if account.user else None
    return charges(login.name, source=login.source, browser=browser)


async def _account(tx: Tx, name: str) -> _Account:
    principal = await find(tx, name)
    if principal is None or principal.kind is not PrincipalKind.USER:
        return _Account()
    password = await tx.scalar(select(PasswordRow).where(PasswordRow.principal_id == principal.id))
    if password is None:
        return _Account(user=principal)
    return _Account(user=principal, hashed=password.hash, since=password.changed_at)


async def _welcome(tx: Tx, login: Login, user: Principal, authority: Authority) -> LoggedIn:
    if login.replaces is not None:
        await close_session(tx, login.replaces)
    await authority.record(tx, EventKind.LOGIN_SUCCEEDED, user.id, source=login.source)
    return await enter(tx, authority.keys, user, login.mark)
