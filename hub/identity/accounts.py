"""Accounts of people, and what any principal is: its groups, its roles, and whether it is suspended."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, select, text, update

from hub.audit import EventKind
from hub.core.addresses import is_address
from hub.core.errors import Conflict, InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.directory import get
from hub.identity.enrolment import check_name, enrol
from hub.identity.grants import revoke_grants_of
from hub.identity.linked import unlink_all
from hub.identity.passwords import new_hash
from hub.identity.principals import Principal, PrincipalKind, Role
from hub.identity.sessions import close_sessions_of
from hub.identity.tables import GroupMemberRow, GroupRow, InvitationRow, PasswordRow, PrincipalRow
from hub.storage import Tx, now

DEFAULT_GROUPS: Final = {"approvers": "Approvers", "controllers": "Controllers"}
"""The groups that the default policy names; they exist from the start."""

_ADD_GROUP = text("INSERT INTO groups (name, title) VALUES (:name, :title) ON CONFLICT (name) DO NOTHING")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A person to make an account for.

    `password` is the person's own, typed by nobody else. Whoever makes an account for somebody else gives none, and the
    person an invitation.
    """

    name: str
    display_name: str
    password: str | None = field(default=None, repr=False)
    roles: frozenset[Role] = frozenset({Role.MEMBER})
    groups: frozenset[str] = frozenset()


async def create_user(tx: Tx, new: NewUser, authority: Authority) -> Principal:
    """Make an account, with its person's own password or none yet, and return its principal.

    Raises:
        InputError: the name, the password or a group will not do.
        Conflict: the name is taken.
    """
    hashed = None if new.password is None else await new_hash(new.password)
    user_id = await enrol(tx, kind=PrincipalKind.USER, name=new.name, display_name=new.display_name)
    await _write_roles(tx, user_id, new.roles)
    await _write_groups(tx, user_id, new.groups)
    if hashed is not None:
        tx.add(PasswordRow(principal_id=user_id, hash=hashed, changed_at=await now(tx)))
    await tx.flush()
    facts = {"name": new.name, "roles": sorted(new.roles), "groups": sorted(new.groups)}
    await authority.record(tx, EventKind.ACCOUNT_CREATED, user_id, **facts)
    return await get(tx, user_id)


async def set_password(
    tx: Tx, principal_id: str, password: str, authority: Authority, *, keep_session: str | None = None
) -> None:
    """Give a user a new password; whoever came in by the old one is out: sessions end, tokens are revoked,
    and accounts elsewhere speak for the user no longer.

    `keep_session` is the id of the one session that stays: the user's own, in which the old password was just given.

    Raises:
        InputError: the password will not do, or the principal is no local user.
    """
    hashed = await new_hash(password)
    changed = await tx.scalar(
        update(PasswordRow)
        .where(PasswordRow.principal_id == principal_id)
        .values(hash=hashed, changed_at=await now(tx))
        .returning(PasswordRow.principal_id)
    )
    if changed is None:
        raise InputError(f"{principal_id!r} has no local password to change.")
    ended = await put_out(tx, principal_id, "password changed", authority, keep_session=keep_session)
    await authority.record(tx, EventKind.ACCOUNT_CHANGED, principal_id, changed="password", **ended)


async def put_out(
    tx: Tx, principal_id: str, reason: str, authority: Authority, *, keep_session: str | None = None
) -> dict[str, str]:
    """End whatever came in by a person's password, all sessions but one; return how much that was, for the record."""
    ended = await close_sessions_of(tx, principal_id, keep=keep_session)
    revoked = await revoke_grants_of(tx, principal_id, reason, authority)
    unlinked = await unlink_all(tx, principal_id)
    return {"sessions_ended": str(ended), "grants_revoked": str(revoked), "accounts_unlinked": str(unlinked)}


async def create_default_groups(tx: Tx) -> None:
    """Make the groups that the default policy names, where they are missing."""
    for name, title in DEFAULT_GROUPS.items():
        await tx.execute(_ADD_GROUP, {"name": name, "title": title})


async def create_group(tx: Tx, name: str, title: str, authority: Authority) -> None:
    """Make a group; one that exists stays as it is.

    Raises:
        InputError: the name will not do.
    """
    check_name(name)
    await tx.execute(_ADD_GROUP, {"name": name, "title": title})
    await authority.record(tx, EventKind.ACCOUNT_CHANGED, name, changed="group", title=title)


async def groups(tx: Tx) -> dict[str, str]:
    """Return the titles of all groups by name."""
    rows = await tx.scalars(select(GroupRow).order_by(GroupRow.name))
    return {row.name: row.title for row in rows}


async def set_groups(tx: Tx, principal_id: str, names: frozenset[str], authority: Authority) -> Principal:
    """Put a principal into exactly these groups.

    Raises:
        NotFound: there is no such principal.
        InputError: there is no such group.
    """
    before = await get(tx, principal_id)
    await _write_groups(tx, principal_id, names)
    facts = {"changed": "groups", "before": sorted(before.groups), "after": sorted(names)}
    await authority.record(tx, EventKind.ACCOUNT_CHANGED, principal_id, **facts)
    await authority.outdate_callers(tx)
    return await get(tx, principal_id)


async def set_roles(tx: Tx, principal_id: str, roles: frozenset[Role], authority: Authority) -> Principal:
    """Give a principal exactly these roles.

    Raises:
        NotFound: there is no such principal.
        Conflict: nobody would be left who is administrator.
    """
    before = await get(tx, principal_id)
    if Role.ADMINISTRATOR in before.roles - roles:
        await _check_another_administrator(tx, principal_id)
    await _write_roles(tx, principal_id, roles)
    facts = {"changed": "roles", "before": sorted(before.roles), "after": sorted(roles)}
    await authority.record(tx, EventKind.ACCOUNT_CHANGED, principal_id, **facts)
    await authority.outdate_callers(tx)
    return await get(tx, principal_id)


async def set_email(tx: Tx, user_id: str, address: str, authority: Authority) -> Principal:
    """Let a person hear at `address` that something waits; with an empty one, by e-mail no more.

    Raises:
        InputError: the address will not do.
        NotFound: there is no such person.
    """
    if (await get(tx, user_id)).kind is not PrincipalKind.USER:
        raise NotFound(f"There is no user {user_id!r}.")
    if address and not is_address(address):
        raise InputError("This is no address the hub can send e-mail to. Write NAME@DOMAIN, in ASCII, without blanks.")
    await tx.execute(update(PrincipalRow).where(PrincipalRow.id == user_id).values(email=address or None))
    await authority.record(tx, EventKind.ACCOUNT_CHANGED, user_id, changed="e-mail address")
    return await get(tx, user_id)


async def suspend(tx: Tx, principal_id: str, reason: str, authority: Authority) -> Principal:
    """Stop a principal at once: its sessions end, its tokens and those that others hold for it are revoked.

    Raises:
        NotFound: there is no such principal.
        Conflict: it is the last administrator.
    """
    await suspend_once(tx, principal_id, reason, authority)
    return await get(tx, principal_id)


async def suspend_once(tx: Tx, principal_id: str, reason: str, authority: Authority) -> bool:
    """Suspend as `suspend` does; return whether this did it, and not somebody else before or at the same moment.

    Raises:
        NotFound: there is no such principal.
        Conflict: it is the last administrator.
    """
    before = await get(tx, principal_id)
    if Role.ADMINISTRATOR in before.roles and not before.is_suspended:
        await _check_another_administrator(tx, principal_id)
    active = (PrincipalRow.id == principal_id, PrincipalRow.suspended_at.is_(None))
    change = update(PrincipalRow).where(*active).values(suspended_at=await now(tx), suspended_reason=reason[:500])
    if await tx.scalar(change.returning(PrincipalRow.id)) is None:
        return False
    await put_out(tx, principal_id, "suspended", authority)
    await tx.execute(delete(InvitationRow).where(InvitationRow.principal_id == principal_id))
    await authority.record(tx, _suspended(before.kind), principal_id, reason=reason[:500])
    await authority.outdate_callers(tx)
    return True


async def resume(tx: Tx, principal_id: str, authority: Authority) -> Principal:
    """Let a suspended principal act again, with new logins and new tokens only.

    Raises:
        NotFound: there is no such principal.
    """
    before = await get(tx, principal_id)
    if before.is_suspended:  # what began at the very moment of the suspension ends now
        await close_sessions_of(tx, principal_id)
        await revoke_grants_of(tx, principal_id, "suspended", authority)
    await tx.execute(
        update(PrincipalRow).where(PrincipalRow.id == principal_id).values(suspended_at=None, suspended_reason=None)
    )
    await authority.record(tx, _resumed(before.kind), principal_id)
    await authority.outdate_callers(tx)
    return await get(tx, principal_id)


async def _write_roles(tx: Tx, principal_id: str, roles: frozenset[Role]) -> None:
    await tx.execute(update(PrincipalRow).where(PrincipalRow.id == principal_id).values(roles=sorted(roles)))


async def _write_groups(tx: Tx, principal_id: str, names: frozenset[str]) -> None:
    await create_default_groups(tx)
    unknown = names - set(await tx.scalars(select(GroupRow.name).where(GroupRow.name.in_(names))))
    if unknown:
        raise InputError(f"There is no group {', '.join(sorted(unknown))}; create it first.")
    await tx.execute(delete(GroupMemberRow).where(GroupMemberRow.principal_id == principal_id))
    tx.add_all(GroupMemberRow(group_name=name, principal_id=principal_id) for name in sorted(names))
    await tx.flush()


async def _check_another_administrator(tx: Tx, principal_id: str) -> None:
    # The rows are locked in one order, so that two administrators cannot remove each other at the same moment.
    query = (
        select(PrincipalRow.id, PrincipalRow.roles)
        .where(PrincipalRow.kind == PrincipalKind.USER.value, PrincipalRow.suspended_at.is_(None))
        .order_by(PrincipalRow.id)
        .with_for_update()
    )
    active = await tx.execute(query)
    if not any(other != principal_id and Role.ADMINISTRATOR.value in roles for other, roles in active):
        raise Conflict("This is the last administrator; make another one first.")


def _suspended(kind: PrincipalKind) -> EventKind:
    return EventKind.ACCOUNT_SUSPENDED if kind is PrincipalKind.USER else EventKind.AGENT_SUSPENDED


def _resumed(kind: PrincipalKind) -> EventKind:
    return EventKind.ACCOUNT_RESUMED if kind is PrincipalKind.USER else EventKind.AGENT_RESUMED
