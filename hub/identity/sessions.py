"""Web sessions: server-side, known by the hash of their cookie, ended by idleness, age, logout or suspension."""

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, exists, select, update

from hub.core.ids import new_id
from hub.identity.directory import get
from hub.identity.principals import Caller, Principal
from hub.identity.secrets import hash_secret, new_secret
from hub.identity.tables import PasskeyRow, PrincipalRow, SessionRow
from hub.storage import Tx, now

IDLE_LIFETIME: Final = timedelta(hours=1)
LIFETIME: Final = timedelta(hours=12)
TOUCH_AFTER: Final = timedelta(minutes=1)
"""A session in use is prolonged at most this often, so that looking at a page is seldom a write."""

_HAS_PASSKEY: Final = exists().where(PasskeyRow.principal_id == PrincipalRow.id)

SESSION_COOKIE: Final = "hub_session"
SECURE_SESSION_COOKIE: Final = f"__Host-{SESSION_COOKIE}"


def cookie_name(public_url: str) -> str:
    """Return the cookie's name: with the `__Host-` prefix wherever the hub is reached over https."""
    return SECURE_SESSION_COOKIE if public_url.startswith("https:") else SESSION_COOKIE


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSession:
    """One person's login. `csrf_token` goes into every form; `needs_touch` asks for `touch_session`.

    `authenticated_at` is the last proof that counts. Of somebody who `has_passkey`, a password counts as an old one.
    """

    id: str
    principal: Principal
    csrf_token: str
    authenticated_at: datetime
    needs_touch: bool
    has_passkey: bool

    @property
    def caller(self) -> Caller:
        """The caller that this person is at the web and at the API."""
        return Caller(actor=self.principal, authenticated_at=self.authenticated_at)

    def accepts(self, csrf_token: str) -> bool:
        """Return whether a form carried this session's CSRF token."""
        return hmac.compare_digest(self.csrf_token.encode(), csrf_token.encode())


async def open_session(
    tx: Tx, principal_id: str, *, authenticated_at: datetime | None = None, by_passkey: bool = False
) -> str:
    """Start a session for somebody who has just proved who it is, or did so elsewhere at another moment.

    Return the cookie's value, which is kept nowhere.
    """
    cookie, at = new_secret("ses"), await now(tx)
    if not by_passkey:
        await hold_logins(tx, principal_id)
    if not by_passkey and await tx.scalar(select(_HAS_PASSKEY).where(PrincipalRow.id == principal_id)):
        authenticated_at = at - LIFETIME  # it lets them in, and is never fresh
    tx.add(
        SessionRow(
            id=new_id("ses"),
            cookie_hash=hash_secret(cookie),
            principal_id=principal_id,
            authenticated_at=min(at, authenticated_at or at),
            idle_until=at + IDLE_LIFETIME,
            expires_at=at + LIFETIME,
        )
    )
    await tx.flush()
    return cookie


async def hold_logins(tx: Tx, principal_id: str) -> None:
    """Let nobody else log in as this person, or enrol its passkeys, until `tx` ends.

    Else a login by password that meets the first passkey would not know of it, and would count as fresh.
    """
    await tx.execute(select(PrincipalRow.id).where(PrincipalRow.id == principal_id).with_for_update())


async def session_of(tx: Tx, cookie: str | None) -> WebSession | None:
    """Return the session that `cookie` belongs to, or None: unknown, ended, idle too long or its person suspended.

    It only reads. When the session says `needs_touch`, call `touch_session` in a writing transaction.
    """
    if not cookie:
        return None
    query = select(SessionRow, _HAS_PASSKEY).join(PrincipalRow, PrincipalRow.id == SessionRow.principal_id)
    found = (await tx.execute(query.where(SessionRow.cookie_hash == hash_secret(cookie)))).one_or_none()
    at = await now(tx)
    if found is None:
        return None
    row: SessionRow = found[0]
    has_passkey: bool = found[1]
    if min(row.idle_until, row.expires_at) <= at:
        return None
    principal = await get(tx, row.principal_id)
    if principal.is_suspended:
        return None
    return WebSession(
        id=row.id,
        principal=principal,
        csrf_token=_csrf_token(cookie),
        authenticated_at=row.authenticated_at,
        needs_touch=row.idle_until - at < IDLE_LIFETIME - TOUCH_AFTER,
        has_passkey=has_passkey,
    )


async def touch_session(tx: Tx, session_id: str) -> None:
    """Prolong a session that is in use and has not ended; its absolute end stays where it is."""
    at = await now(tx)
    await tx.execute(
        update(SessionRow)
        .where(SessionRow.id == session_id, SessionRow.idle_until > at, SessionRow.expires_at > at)
        .values(idle_until=at + IDLE_LIFETIME)
    )


async def close_session(tx: Tx, cookie: str) -> None:
    """End the session that `cookie` belongs to; one that has ended already stays ended."""
    await tx.execute(delete(SessionRow).where(SessionRow.cookie_hash == hash_secret(cookie)))


async def close_sessions_of(tx: Tx, principal_id: str, *, keep: str | None = None) -> int:
    """End every session of a principal at once but the one with the id `keep`; return how many there were."""
    theirs = delete(SessionRow).where(SessionRow.principal_id == principal_id).returning(SessionRow.id)
    return len((await tx.scalars(theirs if keep is None else theirs.where(SessionRow.id != keep))).all())


def local_path(target: str | None, *, default: str = "/") -> str:
    """Return `target` if a browser can only take it for a path on this very hub, else `default`.

    What follows a login comes from the address bar; browsers drop tabs and newlines and read a backslash as a slash.
    """
    if not target or not target.startswith("/") or target.startswith("//"):
        return default
    if "\\" in target or not target.isascii() or not target.isprintable():
        return default
    return target


def _csrf_token(cookie: str) -> str:
    # Derived from the cookie's value, which the database does not have: reading the database forges no form.
    mac = hmac.digest(cookie.encode(), b"csrf", "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
