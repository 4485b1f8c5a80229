"""Owners: who may answer for an agent or a service, and how it passes from one person to another."""

from hub.audit import EventKind
from hub.core.errors import InputError, NotFound
from hub.identity.authority import Authority
from hub.identity.declarations import declare
from hub.identity.directory import find, get, get_many
from hub.identity.principals import Principal, PrincipalKind
from hub.identity.tables import ClientRow, PrincipalRow
from hub.storage import Tx


async def owner_named(tx: Tx, typed: str) -> str:
    """Return the id of the person with this account name, as somebody typed it.

    Raises:
        InputError: no person who may act is called so.
    """
    found = await find(tx, typed.strip())
    if found is None or not _may_own(found):
        raise InputError("Write the account name of a person who may act. Nothing was changed.")
    return found.id


async def check_owner(tx: Tx, owner_id: str, *, of: str) -> None:
    """Refuse an owner that cannot answer for the agent or service called `of`.

    Raises:
        InputError: it is no user, or is suspended.
    """
    owner = (await get_many(tx, [owner_id])).get(owner_id)
    if owner is None or not _may_own(owner):
        raise InputError(f"The owner of {of!r} has to be a user who is not suspended.")


async def give_client(tx: Tx, client_id: str, owner_id: str, authority: Authority) -> Principal:
    """Give an agent or a service to another owner, as a new version of it, and return it.

    What it does for nobody is its owner's: from now on the new one may decide none of that, whoever was asked before.

    Raises:
        InputError: the new owner is no user, or is suspended.
        NotFound: there is no such client.
    """
    client = await tx.get(ClientRow, client_id, populate_existing=True, with_for_update=True)
    row = await tx.get(PrincipalRow, client_id, populate_existing=True, with_for_update=True)
    if client is None or row is None:
        raise NotFound(f"There is no client {client_id!r}.")
    await check_owner(tx, owner_id, of=row.name)
    before, row.owner_id = row.owner_id, owner_id
    await tx.flush()
    await declare(tx, client, authority)
    facts = {"changed": "owner", "before": before, "after": owner_id}
    await authority.record(tx, EventKind.AGENT_CHANGED, client_id, **facts)
    await authority.outdate_callers(tx)
    return await get(tx, client_id)


def _may_own(person: Principal) -> bool:
    return person.kind is PrincipalKind.USER and not person.is_suspended
