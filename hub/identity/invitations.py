"""Invitations: links by which people set passwords that nobody else has ever known; each once, and for a while."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from hub.audit import EventKind
from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.accounts import put_out
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.passwords import new_hash
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.secrets import hash_secret, new_secret
from hub.identity.sessions import hold_logins
from hub.identity.tables import InvitationRow, PasswordRow
from hub.storage import Tx, now

PATH: Final = "/invitation"
LIFETIME: Final = timedelta(days=3)
_GONE: Final = (
    "It was used, a newer one was made, or its time is over."
    " Ask an administrator for another one. If it was not you who used it, say so: somebody else has had it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A link's secret, which is kept nowhere, and until when it works."""

    token: str = field(repr=False)
    expires_at: datetime

    def link(self, public_url: str) -> str:
        """Return the whole link, to be handed to its person and to nobody else."""
        return f"{public_url.rstrip('/')}{PATH}/{self.token}"


async def invite(tx: Tx, person_id: str, authority: Authority) -> Invitation:
    """Make the link by which a person sets a password; a link made before is worthless.

    A password that there was is forgotten, and whoever came in by it is out: until the link is used, nobody is in.

    Raises:
        NotFound: there is no such person.
        InputError: it is an agent, or oneself.
        Conflict: the person is suspended.
    """
    person = await get(tx, person_id)
    if person.kind is not PrincipalKind.USER:
        raise InputError("Only people sign in with a password.")
    if person_id == authority.by:
        raise InputError("Change your own password on the page behind your name, with the old one.")
    if person.is_suspended:
        raise Conflict("This account is suspended; let it act again first.")
    await hold_logins(tx, person_id)
    await tx.execute(delete(InvitationRow).where(InvitationRow.principal_id == person_id))
    await tx.execute(delete(PasswordRow).where(PasswordRow.principal_id == person_id))
    ended = await put_out(tx, person_id, "invited anew", authority)
    invitation = Invitation(token=new_secret("ivt"), expires_at=await now(tx) + LIFETIME)
    hashed, until = hash_secret(invitation.token), invitation.expires_at
    tx.add(InvitationRow(principal_id=person_id, hash=hashed, made_by=authority.by, expires_at=until))
    await tx.flush()
    await authority.record(tx, EventKind.ACCOUNT_CHANGED, person_id, changed="invitation", **ended)
    return invitation


async def invited(tx: Tx, token: str) -> Principal:
    """Return whose password `token` would set just now; asking uses nothing up.

    Raises:
        NotFound: nobody's.
    """
    return await get(tx, (await _open_invitation(tx, token)).principal_id)


async def open_until(tx: Tx, person_id: str) -> datetime | None:
    """Return until when a person's invitation works, or None: there is none that does."""
    at = await tx.scalar(select(InvitationRow.expires_at).where(InvitationRow.principal_id == person_id))
    return at if at is not None and at > await now(tx) else None


async def accept(tx: Tx, token: str, password: str, authority: Authority, *, source: str | None) -> Principal:
    """Use an invitation up and set its person's password; nobody is signed in by that.

    Who made the link, and from where it was used, are on record.

    Raises:
        NotFound: the link is unknown, used, replaced or expired.
        InputError: the password will not do; the link can be used again.
    """
    hashed = await new_hash(password)
    await hold_logins(tx, (await _open_invitation(tx, token)).principal_id)
    mine = InvitationRow.hash == hash_secret(token)
    used = (
        await tx.execute(delete(InvitationRow).where(mine).returning(InvitationRow.principal_id, InvitationRow.made_by))
    ).one_or_none()
    if used is None:
        raise NotFound(_GONE)
    tx.add(PasswordRow(principal_id=used.principal_id, hash=hashed, changed_at=await now(tx)))
    await tx.flush()
    facts = {"changed": "password", "invited_by": used.made_by, "source": source}
    await authority.record(tx, EventKind.ACCOUNT_CHANGED, used.principal_id, **facts)
    return await get(tx, used.principal_id)


async def _open_invitation(tx: Tx, token: str) -> InvitationRow:
    row = await tx.scalar(select(InvitationRow).where(InvitationRow.hash == hash_secret(token)))
    if row is None or row.expires_at <= await now(tx):
        raise NotFound(_GONE)
    return row
