"""Linked identities: which account elsewhere, in Slack say, speaks for a person, and the code that ties the two.

The code is made for somebody who has just logged in here, and given from the account there: so the person proves both.
Whoever sets a new password for the person, or suspends it, unties them.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select

from hub.audit import EventKind
from hub.core.errors import Conflict, FreshLoginNeeded, InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.principals import Principal
from hub.identity.secrets import hash_secret
from hub.identity.tables import LinkCodeRow, LinkedIdentityRow
from hub.storage import Tx, now

CODE_LIFETIME: Final = timedelta(minutes=10)
FRESH: Final = timedelta(minutes=10)
_ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS: Final = 3
_GROUP_LENGTH: Final = 5  # fifteen letters of 32: 75 bits, which nobody guesses in ten minutes
_WRONG: Final = "This code is not right or too old. Make a new one in the hub, on the page where you found this one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """An account in another system: the system, the part of it (a workspace), and the account's id there."""

    system: str
    team: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An account elsewhere that speaks for a person, since when, and when the person proved here who it is."""

    person_id: str
    elsewhere: Elsewhere
    linked_at: datetime
    authenticated_at: datetime


async def offer_code(tx: Tx, person: Principal, system: str, *, authenticated_at: datetime) -> str:
    """Return a code that links the account from which it is given to `person`; it is the only one that is good.

    Raises:
        FreshLoginNeeded: the person's login is older than ten minutes.
    """
    at = await now(tx)
    if at - authenticated_at > FRESH:
        raise FreshLoginNeeded("This needs a fresh login. Enter your password again, then make a code.")
    groups = ["".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)]
    code = "-".join(groups)
    await _forget_codes(tx, person.id, system)
    tx.add(
        LinkCodeRow(
            hash=hash_secret(code),
            system=system,
            principal_id=person.id,
            authenticated_at=authenticated_at,
            expires_at=at + CODE_LIFETIME,
        )
    )
    await tx.flush()
    return code


async def link(tx: Tx, code: str, elsewhere: Elsewhere, authority: Authority) -> Link:
    """Let `elsewhere` speak for the person for whom `code` was made, instead of any account that did so there before.

    Raises:
        Conflict: it speaks for somebody else.
        InputError: the code is unknown, used or too old, or its person is suspended.
    """
    mine = (LinkCodeRow.hash == hash_secret(code.strip().upper()), LinkCodeRow.system == elsewhere.system)
    offered = delete(LinkCodeRow).where(*mine)
    used = (
        await tx.execute(
            offered.returning(LinkCodeRow.principal_id, LinkCodeRow.authenticated_at, LinkCodeRow.expires_at)
        )
    ).one_or_none()
    if used is None or used.expires_at <= await now(tx) or (await get(tx, used.principal_id)).is_suspended:
        raise InputError(_WRONG)
    await authority.database.lock(tx, f"link:{elsewhere.team}:{elsewhere.account}")
    known = await _row(tx, elsewhere)
    if known is not None and known.principal_id != used.principal_id:
        raise Conflict("This account is linked to somebody else. Unlink it first.")
    await _drop(tx, used.principal_id, elsewhere.system)
    row = LinkedIdentityRow(
        system=elsewhere.system,
        team=elsewhere.team,
        account=elsewhere.account,
        principal_id=used.principal_id,
        linked_at=await now(tx),
        authenticated_at=used.authenticated_at,
    )
    tx.add(row)
    await tx.flush()
    facts = {"system": elsewhere.system, "team": elsewhere.team, "account": elsewhere.account}
    await authority.record(tx, EventKind.IDENTITY_LINKED, used.principal_id, **facts)
    return _link(row)


async def unlink(tx: Tx, person_id: str, system: str, authority: Authority) -> None:
    """Let no account of `system` speak for the person any more.

    Raises:
        NotFound: none does.
    """
    if not await _drop(tx, person_id, system):
        raise NotFound("No account is linked.")
    await authority.record(tx, EventKind.IDENTITY_UNLINKED, person_id, system=system)


async def unlink_all(tx: Tx, person_id: str) -> int:
    """Untie a person, whose account has just changed hands or ended, from every account elsewhere; return how many."""
    await tx.execute(delete(LinkCodeRow).where(LinkCodeRow.principal_id == person_id))
    theirs = delete(LinkedIdentityRow).where(LinkedIdentityRow.principal_id == person_id)
    return len((await tx.scalars(theirs.returning(LinkedIdentityRow.account))).all())


async def speaker(tx: Tx, elsewhere: Elsewhere) -> tuple[Principal, Link] | None:
    """Return for whom an account elsewhere speaks; nobody, if it is not linked or the person is suspended."""
    row = await _row(tx, elsewhere)
    person = None if row is None else await get(tx, row.principal_id)
    return None if row is None or person is None or person.is_suspended else (person, _link(row))


async def links_of(tx: Tx, system: str, person_ids: Sequence[str]) -> dict[str, Link]:
    """Return which accounts of `system` speak for these people, by the ids of those for whom one does."""
    query = select(LinkedIdentityRow).where(
        LinkedIdentityRow.system == system, LinkedIdentityRow.principal_id.in_(person_ids)
    )
    return {row.principal_id: _link(row) for row in await tx.scalars(query)}


async def _row(tx: Tx, elsewhere: Elsewhere) -> LinkedIdentityRow | None:
    return await tx.get(LinkedIdentityRow, (elsewhere.system, elsewhere.team, elsewhere.account))


async def _drop(tx: Tx, person_id: str, system: str) -> bool:
    await _forget_codes(tx, person_id, system)
    theirs = (LinkedIdentityRow.principal_id == person_id, LinkedIdentityRow.system == system)
    gone = delete(LinkedIdentityRow).where(*theirs).returning(LinkedIdentityRow.account)
    return await tx.scalar(gone) is not None


async def _forget_codes(tx: Tx, person_id: str, system: str) -> None:
    await tx.execute(delete(LinkCodeRow).where(LinkCodeRow.principal_id == person_id, LinkCodeRow.system == system))


def _link(row: LinkedIdentityRow) -> Link:
    elsewhere = Elsewhere(system=row.system, team=row.team, account=row.account)
    return Link(
        person_id=row.principal_id,
        elsewhere=elsewhere,
        linked_at=row.linked_at,
        authenticated_at=row.authenticated_at,
    )
