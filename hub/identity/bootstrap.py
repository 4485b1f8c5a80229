"""The first administrator: a one-time link on an empty database, or the console."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select, update

from hub.core.errors import NotFound
from hub.identity.accounts import NewUser, create_default_groups, create_user
from hub.identity.authority import Authority
from hub.identity.principals import Principal, PrincipalKind, Role
from hub.identity.secrets import hash_secret, new_secret
from hub.identity.tables import BootstrapRow, PrincipalRow
from hub.storage import Database, Tx, now

SETUP_PATH: Final = "/setup"
LINK_LIFETIME: Final = timedelta(hours=1)
_LOCK: Final = "bootstrap"
"""Held while links and first accounts are made: two replicas that start at once must not each leave a link open."""


async def offer_first_administrator(tx: Tx, database: Database, public_url: str) -> str | None:
    """Return a link that makes the first administrator, once, within the hour; None if there is a user already.

    Each call makes the link before it worthless, so that only the one printed last works.
    """
    await database.lock(tx, _LOCK)
    await create_default_groups(tx)
    if await has_users(tx):
        return None
    await tx.execute(delete(BootstrapRow))
    token = new_secret("adm")
    tx.add(BootstrapRow(token_hash=hash_secret(token), expires_at=await now(tx) + LINK_LIFETIME))
    await tx.flush()
    return f"{public_url.rstrip('/')}{SETUP_PATH}/{token}"


async def is_offered(tx: Tx, token: str) -> bool:
    """Return whether `token` would make the first administrator just now; asking uses nothing up."""
    row = await tx.get(BootstrapRow, hash_secret(token))
    return row is not None and row.used_at is None and row.expires_at > await now(tx) and not await has_users(tx)


async def create_first_administrator(tx: Tx, token: str, new: NewUser, authority: Authority) -> Principal:
    """Use the one-time link up and make its holder administrator and member, whatever roles `new` asks for.

    Raises:
        NotFound: the link is unknown, used, expired, or somebody else was first.
        InputError: the name or the password will not do; the link can be used again.
    """
    await authority.database.lock(tx, _LOCK)
    at = await now(tx)
    used = await tx.scalar(
        update(BootstrapRow)
        .where(
            BootstrapRow.token_hash == hash_secret(token),
            BootstrapRow.used_at.is_(None),
            BootstrapRow.expires_at > at,
        )
        .values(used_at=at)
        .returning(BootstrapRow.token_hash)
    )
    if used is None or await has_users(tx):
        raise NotFound("This link does not work any more. Start the hub again for a new one.")
    first = NewUser(
        name=new.name,
        display_name=new.display_name,
        password=new.password,
        roles=frozenset({Role.ADMINISTRATOR, Role.MEMBER}),
        groups=new.groups,
    )
    return await create_user(tx, first, authority)


async def account_create(tx: Tx, new: NewUser, authority: Authority) -> Principal:
    """Make an account from the console; the first one becomes administrator, and closes the link that would make one.

    Raises:
        InputError: the name, the password or a group will not do.
        Conflict: the name is taken.
    """
    await authority.database.lock(tx, _LOCK)
    await create_default_groups(tx)
    await tx.execute(delete(BootstrapRow))
    is_first = not await has_users(tx)
    return await create_user(tx, replace(new, roles=new.roles | {Role.ADMINISTRATOR}) if is_first else new, authority)


async def has_users(tx: Tx) -> bool:
    """Return whether anybody has an account here."""
    query = select(PrincipalRow.id).where(PrincipalRow.kind == PrincipalKind.USER.value).limit(1)
    return (await tx.scalar(query)) is not None
