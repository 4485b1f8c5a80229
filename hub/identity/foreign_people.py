"""People as external issuers know them: found by issuer and subject, admitted where the operator says so, grouped anew.

A person whom nobody linked and no rule admits stays outside, whatever name or address the issuer tells.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select

from hub.audit import EventKind
from hub.core.errors import Conflict, InputError, NotFound
from hub.core.ids import new_id
from hub.identity.accounts import create_default_groups, set_groups
from hub.identity.authority import Authority
from hub.identity.directory import find, get
from hub.identity.enrolment import MAX_DISPLAY_NAME, NAME_PATTERN, enrol
from hub.identity.foreign_tokens import LONGEST_SUBJECT
from hub.identity.grants import revoke_grants_from
from hub.identity.issuers import Issuer
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.tables import ExternalIdentityRow
from hub.storage import Tx, now

_NO_NAME: Final = re.compile(r"[^a-z0-9._@+-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalIdentity:
    """One person as one issuer knows it."""

    issuer: str
    subject: str
    linked_at: datetime


async def person_of(tx: Tx, issuer: str, subject: str) -> Principal | None:
    """Return the person that an issuer means by `subject`, suspended or not, or None: nobody."""
    person_id = await known_as(tx, issuer, subject)
    return None if person_id is None else await get(tx, person_id)


async def known_as(tx: Tx, issuer: str, subject: str) -> str | None:
    """Return the id of the person that an issuer means by `subject`, or None: nobody."""
    is_it = (ExternalIdentityRow.issuer == issuer, ExternalIdentityRow.subject == subject)
    return await tx.scalar(select(ExternalIdentityRow.principal_id).where(*is_it))


async def identities_of(tx: Tx, principal_id: str) -> list[ExternalIdentity]:
    """Return how external issuers know a person."""
    query = select(ExternalIdentityRow).where(ExternalIdentityRow.principal_id == principal_id)
    return [
        ExternalIdentity(issuer=row.issuer, subject=row.subject, linked_at=row.linked_at)
        for row in await tx.scalars(query.order_by(ExternalIdentityRow.issuer))
    ]


async def welcome(tx: Tx, issuer: Issuer, claims: Mapping[str, Any], authority: Authority) -> Principal | None:
    """Return the person that logs in with these claims, with the groups that they give, or None: it may not enter.

    Somebody new gets an account if the operator admits such people. Groups that the operator did not map stay as they
    are; of those that are mapped, the person is in exactly the ones that the issuer says.
    """
    subject = str(claims[issuer.subject_claim])
    # Of two first logins at the same moment the second waits, and finds the account.
    await authority.database.lock(tx, f"external identity {issuer.issuer} {subject}")
    person, wanted = await person_of(tx, issuer.issuer, subject), issuer.groups_in(claims)
    if person is None:
        if issuer.admits == "linked" or (issuer.admits == "groups" and not wanted):
            return None
        person = await _new_person(tx, issuer, subject, claims, authority)
    if person.is_suspended:
        return None
    await create_default_groups(tx)
    groups = (person.groups - frozenset(issuer.groups.values())) | wanted
    return person if groups == person.groups else await set_groups(tx, person.id, groups, authority)


async def link(tx: Tx, principal_id: str, issuer: Issuer, subject: str, authority: Authority) -> ExternalIdentity:
    """Let a subject of an issuer be a person from now on.

    Raises:
        NotFound: there is no such person.
        InputError: this is no subject.
        Conflict: the subject is somebody already, or the person is known to this issuer as another one.
    """
    if (await get(tx, principal_id)).kind is not PrincipalKind.USER:
        raise NotFound(f"There is no user {principal_id!r}.")
    if not 1 <= len(subject) <= LONGEST_SUBJECT or not subject.isascii() or not subject.isprintable():
        raise InputError(f"A subject is 1 to {LONGEST_SUBJECT} printable ASCII characters: the claim, not a name.")
    await authority.database.lock(tx, f"external identity {issuer.issuer} {subject}")
    if await person_of(tx, issuer.issuer, subject) is not None:
        raise Conflict("This subject is somebody here already; unlink that person first.")
    if any(one.issuer == issuer.issuer for one in await identities_of(tx, principal_id)):
        raise Conflict("This person is known to the issuer by another subject; unlink that one first.")
    at = await now(tx)
    tx.add(ExternalIdentityRow(issuer=issuer.issuer, subject=subject, principal_id=principal_id, linked_at=at))
    await tx.flush()
    await authority.record(tx, EventKind.IDENTITY_LINKED, principal_id, system="oidc", issuer=issuer.issuer)
    await authority.outdate_callers(tx)
    return ExternalIdentity(issuer=issuer.issuer, subject=subject, linked_at=at)


async def unlink(tx: Tx, principal_id: str, issuer: str, authority: Authority) -> None:
    """Let an issuer speak for a person no longer; its tokens, and what was made of them, stop at once.

    Raises:
        NotFound: it does not.
    """
    theirs = (ExternalIdentityRow.principal_id == principal_id, ExternalIdentityRow.issuer == issuer)
    if await tx.scalar(delete(ExternalIdentityRow).where(*theirs).returning(ExternalIdentityRow.subject)) is None:
        raise NotFound("This issuer does not know this person.")
    await revoke_grants_from(
        tx, user_id=principal_id, issuer=issuer, reason="its issuer was unlinked", authority=authority
    )
    await authority.record(tx, EventKind.IDENTITY_UNLINKED, principal_id, system="oidc", issuer=issuer)
    await authority.outdate_callers(tx)


async def _new_person(
    tx: Tx, issuer: Issuer, subject: str, claims: Mapping[str, Any], authority: Authority
) -> Principal:
    name = await _free_name(tx, issuer, claims)
    display_name = "".join(one for one in str(claims.get("name") or name) if one.isprintable())[:MAX_DISPLAY_NAME]
    person_id = await enrol(tx, kind=PrincipalKind.USER, name=name, display_name=display_name.strip() or name)
    await authority.record(tx, EventKind.ACCOUNT_CREATED, person_id, name=name, issuer=issuer.issuer)
    await link(tx, person_id, issuer, subject, authority)
    return await get(tx, person_id)


async def _free_name(tx: Tx, issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """Return an account name like the issuer's, which is never taken for somebody who has that name already."""
    wanted = _NO_NAME.sub("-", str(claims.get("preferred_username") or "").lower())[:50].lstrip("._@+-")
    name = wanted if NAME_PATTERN.fullmatch(wanted) else issuer.name
    return name if name != issuer.name and await find(tx, name) is None else f"{name[:40]}-{new_id('p')[-8:]}"
