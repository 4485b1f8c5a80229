"""Logging in with a name and a password: throttled in the database, and silent about which of the two was wrong."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, select, text, update

from hub.audit import EventKind
from hub.identity.authority import Authority
from hub.identity.directory import find
from hub.identity.passwords import hash_password, matches, needs_new_hash
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.sessions import close_session, open_session
from hub.identity.tables import FailedLoginRow, PasswordRow
from hub.keys import Keyring
from hub.storage import Database, Moment, Tx, now

FREE_FAILURES_PER_NAME: Final = 5
FREE_FAILURES_PER_SOURCE: Final = 30
LONGEST_BLOCK: Final = timedelta(minutes=5)
"""Long enough to make guessing hopeless, short enough that nobody can lock somebody else out for a day."""
FORGET_AFTER: Final = timedelta(hours=1)

_SEEN: Final = text(
    "INSERT INTO failed_logins (key, failures, last_at) VALUES (:key, 0, :at) ON CONFLICT (key) DO NOTHING"
).bindparams(bindparam("at", type_=Moment()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Somebody's attempt to log in; `source` is the address it came from, `replaces` the cookie it had before."""

    name: str
    password: str = field(repr=False)
    source: str | None = None
    replaces: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """Who it is, and the value of the new session's cookie."""

    principal: Principal
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused:
    """What to tell the person; after too many failures, also when to try again."""

    message: str
    retry_after_seconds: int | None = None


async def log_in(database: Database, keys: Keyring, login: Login) -> LoggedIn | LoginRefused:
    """Check a name and a password and, if they are right, open a web session.

    It opens its own transactions, for two reasons: the attempt is on record before the password is looked at, so that
    a thousand attempts at once count as a thousand; and no transaction waits for argon2. The same call is the fresh
    login that a critical decision needs: a new session takes the place of the one in `replaces`.
    """
    async with database.transaction() as tx:
        blocked = await _count_attempt(tx, login)
    if blocked is not None:
        return LoginRefused(
            message=f"Too many failed attempts. Try again in {blocked} seconds.", retry_after_seconds=blocked
        )
    async with database.reading() as tx:
        user, hashed = await _account(tx, login.name)
    is_right = await matches(login.password, hashed)  # without an account it takes as long
    authority = Authority(database=database, keys=keys, by=user.id if user and is_right else None)
    if user is None or hashed is None or not is_right or user.is_suspended:
        async with database.transaction() as tx:
            await authority.record(tx, EventKind.LOGIN_FAILED, user.id if user else "unknown", source=login.source)
        return LoginRefused(message="Wrong name or password.")
    new_hash = await hash_password(login.password) if needs_new_hash(hashed) else hashed
    async with database.transaction() as tx:
        if await _account(tx, login.name) != (user, hashed):
            return LoginRefused(message="This account has just changed. Try again.")
        await tx.execute(update(PasswordRow).where(PasswordRow.principal_id == user.id).values(hash=new_hash))
        return await _welcome(tx, login, user, authority)


async def _count_attempt(tx: Tx, login: Login) -> int | None:
    """Count this attempt as failed until it turns out otherwise; return the seconds to wait if it may not go on."""
    at = await now(tx)
    rows = [(await _row(tx, key, at), free) for key, free in _limits(login)]
    waits = [row.blocked_until - at for row, _ in rows if row.blocked_until is not None and row.blocked_until > at]
    if waits:
        return max(1, round(max(waits).total_seconds()))
    for row, free in rows:
        row.failures = 1 if at - row.last_at > FORGET_AFTER else row.failures + 1
        row.last_at = at
        row.blocked_until = at + _pause(row.failures - free) if row.failures >= free else None
    return None


def _pause(beyond: int) -> timedelta:
    return min(timedelta(seconds=2 ** min(beyond, 20)), LONGEST_BLOCK)


async def _row(tx: Tx, key: str, at: datetime) -> FailedLoginRow:
    await tx.execute(_SEEN, {"key": key, "at": at})
    query = select(FailedLoginRow).where(FailedLoginRow.key == key).with_for_update()
    return (await tx.scalars(query)).one()


def _limits(login: Login) -> list[tuple[str, int]]:
    limits = [(_name_key(login.name), FREE_FAILURES_PER_NAME)]
    if login.source is not None:
        limits.append((_key("source", login.source), FREE_FAILURES_PER_SOURCE))
    return limits


def _name_key(name: str) -> str:
    return _key("name", name.lower())


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode(errors="surrogatepass")).hexdigest()


async def _account(tx: Tx, name: str) -> tuple[Principal | None, str | None]:
    principal = await find(tx, name)
    if principal is None or principal.kind is not PrincipalKind.USER:
        return None, None
    return principal, await tx.scalar(select(PasswordRow.hash).where(PasswordRow.principal_id == principal.id))


async def _welcome(tx: Tx, login: Login, user: Principal, authority: Authority) -> LoggedIn:
    await tx.execute(delete(FailedLoginRow).where(FailedLoginRow.key == _name_key(login.name)))
    if login.source is not None:
        source = FailedLoginRow.key == _key("source", login.source)
        # Only its own count is taken back: a right password now and then must not buy more guesses.
        undo = {"failures": FailedLoginRow.failures - 1, "blocked_until": None}
        await tx.execute(update(FailedLoginRow).where(source).values(undo))
    if login.replaces is not None:
        await close_session(tx, login.replaces)
    await authority.record(tx, EventKind.LOGIN_SUCCEEDED, user.id, source=login.source)
    return LoggedIn(principal=user, cookie=await open_session(tx, user.id))
