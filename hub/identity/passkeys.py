"""Passkeys (WebAuthn level 3): which a person has enrolled, and how one of them proves who is at the browser.

Whoever has enrolled one logs in as before, but a login counts as fresh only if a passkey proved it. A challenge is good
for five minutes, for one session and purpose, and once. The authenticator has to verify its user, by PIN or finger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import delete, select, update

from hub.audit import EventKind
from hub.core.canonical import parse_json
from hub.core.errors import Conflict, FreshLoginNeeded, InputError, Malformed, NotFound
from hub.core.ids import new_id
from hub.identity.assertions import json_object, use_once
from hub.identity.authority import Authority
from hub.identity.sessions import (
    LIFETIME,
    WebSession,
    close_session,
    close_sessions_of,
    hold_logins,
    open_session,
)
from hub.identity.tables import PasskeyRow, SessionRow
from hub.keys import Keyring
from hub.storage import Tx, now

FRESH: Final = timedelta(minutes=10)
CHALLENGE_SECONDS: Final = 300
MOST: Final = 10
_LONGEST_ANSWER: Final = 16_000
_LONGEST_NAME: Final = 60
_ENROLLING: Final = "enrolling a passkey"
_PROVING: Final = "proof by a passkey"
_MILLISECONDS: Final = CHALLENGE_SECONDS * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What browsers tie a passkey to: the hub's domain and its origin (WebAuthn sections 5.1.3 and 7.1)."""

    domain: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey of a person: what it is called, since when it is enrolled, when it was used last."""

    id: str
    name: str
    enrolled_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """What a page asks the browser for: its options as JSON, and the challenge in them, sealed for its way back."""

    options: str
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back with a form: the browser's credential as JSON, and the sealed challenge."""

    credential: str
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    """A passkey that a browser has made, and what its person calls it."""

    name: str
    answered: Answered


def site_of(public_url: str) -> Site | None:
    """Return what passkeys for the hub at this address are tied to, or None: browsers know none for bare addresses."""
    parts = urlsplit(public_url)
    domain = (parts.hostname or "").lower()
    try:
        ip_address(domain)
    except ValueError:
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        port = "" if parts.port in {None, usual} else f":{parts.port}"
        return Site(domain=domain, origin=f"{parts.scheme}://{domain}{port}")
    return None


async def passkeys_of(tx: Tx, person_id: str) -> list[Passkey]:
    """Return somebody's passkeys, the oldest first."""
    return [_passkey(row) for row in await _rows(tx, person_id)]


async def offer_enrolment(tx: Tx, keys: Keyring, session: WebSession, site: Site) -> Ceremony:
    """Return what a browser needs to make another passkey for the person of `session`."""
    from hub.identity import ceremonies  # noqa: PLC0415  # see there

    known = [row.credential_id for row in await _rows(tx, session.principal.id)]
    asked = ceremonies.to_enrol(session.principal, site.domain, known, milliseconds=_MILLISECONDS)
    return Ceremony(options=asked.options, sealed=_sealed(keys, asked.challenge, session, _ENROLLING))


async def enrol(tx: Tx, session: WebSession, site: Site, wanted: NewPasskey, authority: Authority) -> Passkey:
    """Add the passkey that the browser has made; from here on only a passkey makes a fresh login of this person.

    Raises:
        FreshLoginNeeded: the login of `session` is older than ten minutes.
        InputError: the name will not do, or the browser's answer is not one to our challenge.
        Conflict: there are ten already, or this one is enrolled.
    """
    from hub.identity import ceremonies  # noqa: PLC0415  # see there

    person_id, at = session.principal.id, await now(tx)
    check_fresh(session, at)
    called = wanted.name.strip()
    if not 1 <= len(called) <= _LONGEST_NAME or not called.isprintable():
        raise InputError(f"Give the passkey a name of 1 to {_LONGEST_NAME} characters, by which you know it again.")
    challenge = await _challenge(tx, authority.keys, session, wanted.answered, _ENROLLING)
    try:
        asked = ceremonies.Challenged(challenge=challenge, domain=site.domain, origin=site.origin)
        made = ceremonies.made(_credential(wanted.answered), asked)
    except ceremonies.NotProven as error:
        raise InputError("The browser's answer does not make a passkey for this hub. Nothing was added.") from error
    await hold_logins(tx, person_id)
    known = await _rows(tx, person_id)
    if len(known) >= MOST:
        raise Conflict(f"There are {MOST} passkeys already. Remove one first.")
    row = PasskeyRow(
        id=new_id("pky"),
        principal_id=person_id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        uses=made.uses,
        name=called,
        enrolled_at=at,
    )
    if await tx.scalar(select(PasskeyRow.id).where(PasskeyRow.credential_id == row.credential_id)) is not None:
        raise Conflict("This passkey is enrolled already.")
    tx.add(row)
    await tx.flush()
    await _age_sessions_of(tx, person_id, at)
    await authority.record(tx, EventKind.PASSKEY_ENROLLED, person_id, passkey=row.id)
    return _passkey(row)


async def offer_proof(tx: Tx, keys: Keyring, session: WebSession, site: Site) -> Ceremony:
    """Return what a browser needs to prove that the person of `session` is there."""
    from hub.identity import ceremonies  # noqa: PLC0415  # see there

    known = [row.credential_id for row in await _rows(tx, session.principal.id)]
    asked = ceremonies.to_prove(site.domain, known, milliseconds=_MILLISECONDS)
    return Ceremony(options=asked.options, sealed=_sealed(keys, asked.challenge, session, _PROVING))


async def prove(tx: Tx, session: WebSession, site: Site, answered: Answered, authority: Authority) -> None:
    """Note that a passkey of its person has answered to a challenge of `session`, this once.

    Raises:
        InputError: it has not; nothing else is told.
    """
    from hub.identity import ceremonies  # noqa: PLC0415  # see there

    refusal = InputError("That passkey did not prove who you are. Try again, with one that is enrolled here.")
    challenge = await _challenge(tx, authority.keys, session, answered, _PROVING)
    credential = _credential(answered)
    row = await tx.scalar(
        select(PasskeyRow)
        .where(PasskeyRow.principal_id == session.principal.id, PasskeyRow.credential_id == str(credential.get("id")))
        .with_for_update()
    )
    if row is None:
        raise refusal
    try:
        asked = ceremonies.Challenged(challenge=challenge, domain=site.domain, origin=site.origin)
        uses = ceremonies.proven(credential, asked, public_key=row.public_key, uses=row.uses)
    except ceremonies.NotProven as error:
        raise refusal from error
    # Of two answers with one count, at the same moment, the second finds the first: a copied key is told from its twin.
    unchanged = (PasskeyRow.id == row.id, PasskeyRow.uses == row.uses)
    used = update(PasskeyRow).where(*unchanged).values(uses=uses, used_at=await now(tx))
    if await tx.scalar(used.returning(PasskeyRow.id)) is None:
        raise refusal


async def renew(tx: Tx, session: WebSession, cookie: str) -> str:
    """Put a session that a passkey has just proved in the place of `session`; return the value of its cookie."""
    await close_session(tx, cookie)
    return await open_session(tx, session.principal.id, by_passkey=True)


async def remove(tx: Tx, session: WebSession, passkey_id: str, authority: Authority) -> None:
    """Take one of one's own passkeys away; without any, a password makes a fresh login again.

    Raises:
        FreshLoginNeeded: the login of `session` is older than ten minutes, or was not by a passkey.
        NotFound: it is not one of theirs.
    """
    check_fresh(session, await now(tx))
    mine = (PasskeyRow.id == passkey_id, PasskeyRow.principal_id == session.principal.id)
    if await tx.scalar(delete(PasskeyRow).where(*mine).returning(PasskeyRow.id)) is None:
        raise NotFound("There is no such passkey of yours.")
    await authority.record(tx, EventKind.PASSKEY_REMOVED, session.principal.id, passkey=passkey_id)


async def remove_all(tx: Tx, person_id: str, authority: Authority) -> int:
    """Take away every passkey of somebody who has lost them, and end their sessions; return how many there were.

    Raises:
        InputError: they are one's own; those are removed one by one, with a fresh login.
    """
    if authority.by == person_id:
        raise InputError("Remove your own passkeys on the page behind your name, with a fresh login.")
    gone = (
        await tx.scalars(delete(PasskeyRow).where(PasskeyRow.principal_id == person_id).returning(PasskeyRow.id))
    ).all()
    if gone:
        await close_sessions_of(tx, person_id)
        await authority.record(tx, EventKind.PASSKEY_REMOVED, person_id, passkey=sorted(gone))
    return len(gone)


def check_fresh(session: WebSession, at: datetime) -> None:
    """Refuse a login that is too old to change passkeys by.

    Raises:
        FreshLoginNeeded: it is older than ten minutes, or does not count.
    """
    if at - session.authenticated_at > FRESH:
        raise FreshLoginNeeded("Changing passkeys needs a fresh login. Sign in once more, then try again.")


async def _age_sessions_of(tx: Tx, person_id: str, at: datetime) -> None:
    """Let no login that a password made count as fresh any more."""
    theirs = update(SessionRow).where(SessionRow.principal_id == person_id)
    await tx.execute(theirs.values(authenticated_at=at - LIFETIME))


def _sealed(keys: Keyring, challenge: str, session: WebSession, purpose: str) -> str:
    tied = {"challenge": challenge, "session": session.id}
    return keys.seal(tied, purpose=purpose, seconds=CHALLENGE_SECONDS)


async def _challenge(tx: Tx, keys: Keyring, session: WebSession, answered: Answered, purpose: str) -> str:
    """Return the challenge that was answered, which is used up by this."""
    expired = InputError("This page had been open for too long, or its form was sent twice. Try again.")
    try:
        tied = keys.unseal(answered.sealed, purpose=purpose)
    except Malformed as error:
        raise expired from error
    until = await now(tx) + timedelta(seconds=CHALLENGE_SECONDS)
    if tied["session"] != session.id or not await use_once(tx, session.principal.id, tied["challenge"], until):
        raise expired
    return str(tied["challenge"])


def _credential(answered: Answered) -> dict[str, Any]:
    if len(answered.credential) > _LONGEST_ANSWER:
        raise InputError("The browser's answer is too long for a passkey.")
    try:
        read = json_object(parse_json(answered.credential))
    except InputError as error:
        raise InputError("The browser sent no answer of a passkey. It needs JavaScript for that.") from error
    if read is None:
        raise InputError("The browser's answer is not one of a passkey.")
    return read


async def _rows(tx: Tx, person_id: str) -> Sequence[PasskeyRow]:
    theirs = select(PasskeyRow).where(PasskeyRow.principal_id == person_id)
    return (await tx.scalars(theirs.order_by(PasskeyRow.enrolled_at, PasskeyRow.id))).all()


def _passkey(row: PasskeyRow) -> Passkey:
    return Passkey(id=row.id, name=row.name, enrolled_at=row.enrolled_at, used_at=row.used_at)
